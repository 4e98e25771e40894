//! A whole head office in this process: its doors opened, misused and closed.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use protocol::timestamp::Timestamp;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::db::testing::TestDb;

async fn hq() -> (TestDb, tempfile::TempDir, Running) {
    // Whoever installed a provider before us installed the same one.
    let installed = rustls::crypto::ring::default_provider().install_default();
    drop(installed);
    let test = TestDb::new().await;
    let state = tempfile::tempdir().unwrap();
    let mut config = ServeConfig::for_tests(test.db.clone(), state.path().to_owned());
    config.metrics = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let running = start(config, Clock::manual(Timestamp(1_800_000_000_000))).await.unwrap();
    (test, state, running)
}

/// Sends bytes, reads until the other side closes.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    let talk = async {
        stream.write_all(bytes).await.unwrap();
        let mut heard = Vec::new();
        // A reset after the answer is fine; what was heard before counts.
        let read = stream.read_to_end(&mut heard).await;
        drop(read);
        String::from_utf8_lossy(&heard).into_owned()
    };
    tokio::time::timeout(Duration::from_secs(20), talk).await.unwrap()
}

#[tokio::test]
async fn every_door_is_written_down_and_answers() {
    let (_test, state, running) = hq().await;
    let written: Value = serde_json::from_slice(&std::fs::read(state.path().join("addresses.json")).unwrap()).unwrap();
    assert_eq!(written["http"], running.http.to_string());
    assert_eq!(written["quic"], running.quic.to_string());
    assert_eq!(written["tcp"], running.tcp.unwrap().to_string());
    assert_eq!(running.app.places().quic.unwrap(), running.quic.to_string());
    let get = b"GET /readyz HTTP/1.1\r\nhost: hq\r\nconnection: close\r\n\r\n";
    let heard = exchange(TcpStream::connect(running.http).await.unwrap(), get).await;
    assert!(heard.starts_with("HTTP/1.1 200 OK"), "{heard}");
    let get = b"GET /metrics HTTP/1.1\r\nhost: hq\r\nconnection: close\r\n\r\n";
    let heard = exchange(TcpStream::connect(running.metrics.unwrap()).await.unwrap(), get).await;
    assert!(heard.contains("HTTP/1.1 200 OK"), "{heard}");
    let http = running.http;
    running.stop().await;
    assert!(TcpStream::connect(http).await.is_err(), "the door is closed");
}

#[tokio::test]
async fn the_tls_door_shows_a_certificate_of_the_device_ca() {
    let (_test, _state, running) = hq().await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(running.app.fleet.get().unwrap().authority().certificate().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = |alpn: &[u8]| {
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ChainOnly(roots.clone(), Arc::clone(&provider))))
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        tokio_rustls::TlsConnector::from(Arc::new(config))
    };
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let tcp = TcpStream::connect(running.tcp.unwrap()).await.unwrap();
    let stream = client(b"http/1.1").connect(name.clone(), tcp).await.unwrap();
    let heard = exchange(stream, b"GET /healthz HTTP/1.1\r\nhost: hq\r\nconnection: close\r\n\r\n").await;
    assert!(heard.starts_with("HTTP/1.1 200 OK"), "{heard}");
    // A node that comes over TCP is not left waiting.
    let tcp = TcpStream::connect(running.tcp.unwrap()).await.unwrap();
    let stream = client(protocol::enroll::ALPN).connect(name, tcp).await.unwrap();
    assert_eq!(exchange(stream, b"hello").await, "");
    running.stop().await;
}

/// Believes a certificate for its chain alone, at the time of the manual clock.
#[derive(Debug)]
struct ChainOnly(rustls::RootCertStore, Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        end_entity: &rustls::pki_types::CertificateDer<'_>,
        intermediates: &[rustls::pki_types::CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        let certificate = rustls::server::ParsedCertificate::try_from(end_entity)?;
        let now = rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_millis(1_800_000_000_000));
        let algorithms = self.1.signature_verification_algorithms.all;
        rustls::client::verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.0,
            intermediates,
            now,
            algorithms,
        )?;
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &rustls::pki_types::CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.1.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &rustls::pki_types::CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.1.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.1.signature_verification_algorithms.supported_schemes()
    }
}

#[tokio::test]
async fn random_bytes_and_huge_headers_cost_one_connection_each() {
    let (_test, _state, running) = hq().await;
    let noise: Vec<u8> = (0..4_000_u32).flat_map(|n| blake3::hash(&n.to_le_bytes()).as_bytes()[..4].to_vec()).collect();
    for door in [running.http, running.tcp.unwrap()] {
        exchange(TcpStream::connect(door).await.unwrap(), &noise).await;
    }
    let mut huge = b"GET / HTTP/1.1\r\nhost: hq\r\nx: ".to_vec();
    huge.extend(std::iter::repeat_n(b'a', 100 << 10));
    huge.extend(b"\r\n\r\n");
    let heard = exchange(TcpStream::connect(running.http).await.unwrap(), &huge).await;
    assert!(heard.starts_with("HTTP/1.1 431"), "{heard}");
    let get = b"GET /readyz HTTP/1.1\r\nhost: hq\r\nconnection: close\r\n\r\n";
    let heard = exchange(TcpStream::connect(running.http).await.unwrap(), get).await;
    assert!(heard.starts_with("HTTP/1.1 200 OK"), "the process is alive: {heard}");
    running.stop().await;
}

#[tokio::test]
async fn a_taken_address_is_named_and_nothing_stays_open() {
    let (_test, _state, running) = hq().await;
    let (test, state) = (TestDb::new().await, tempfile::tempdir().unwrap());
    let mut config = ServeConfig::for_tests(test.db.clone(), state.path().to_owned());
    config.http = running.http;
    let error = start(config, Clock::System).await.unwrap_err();
    assert!(matches!(error, StartError::Listen { door: "http", .. }), "{error}");
    assert!(error.to_string().contains(&running.http.to_string()), "{error}");
    running.stop().await;
}

#[tokio::test]
async fn it_starts_and_ends_with_a_private_database() {
    let state = tempfile::tempdir().unwrap();
    std::fs::set_permissions(state.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let test = TestDb::new().await;
    let config = ServeConfig {
        database: Database::Embedded,
        ..ServeConfig::for_tests(test.db.clone(), state.path().to_owned())
    };
    let running = start(config, Clock::System).await.unwrap();
    let pid = running.embedded().unwrap().pid().unwrap();
    running.stop().await;
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "PostgreSQL has ended");
}
