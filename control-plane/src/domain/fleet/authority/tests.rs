//! Tests of the certificate authorities: what certificates say, what is refused, and that TLS agrees.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use protocol::enroll::{HQ_SERVER_NAME, NodeUrn};
use protocol::id::{NodeId, ShopId, TenantId, Term};
use protocol::timestamp::Timestamp;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use uuid::Uuid;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::*;
use crate::clock::Clock;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAY: i64 = 86_400;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn urn() -> NodeUrn {
    NodeUrn {
        tenant: TenantId::from_uuid(Uuid::from_u128(1)),
        shop: ShopId::from_uuid(Uuid::from_u128(2)),
        node: NodeId::from_uuid(Uuid::from_u128(3)),
        term: Term(4),
    }
}

fn device_csr(key: &KeyPair) -> String {
    // A request that asks for everything: HQ takes the key and nothing else.
    let mut params = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "root of all");
    params.serialize_request(key).unwrap().pem().unwrap()
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).unwrap();
    let names = parsed.subject_alternative_name().unwrap().unwrap();
    #[allow(clippy::wildcard_enum_match_arm, reason = "kinds of names that we never write")]
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(text) | GeneralName::URI(text) => (*text).to_owned(),
        GeneralName::IPAddress(bytes) => format!("{bytes:?}"),
        _ => format!("{name:?}"),
    };
    names.value.general_names.iter().map(text).collect()
}

#[test]
fn the_ca_is_made_once_and_kept_to_its_owner() {
    let folder = folder();
    let place = folder.path().join("state/ca");
    let first = Authority::open(&place, NOW).unwrap();
    let second = Authority::open(&place, NOW.plus_millis(1)).unwrap();
    assert_eq!(first.certificate(), second.certificate());
    let file = place.join("device-ca.pem");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1, "no draft is left");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Authority::open(&place, NOW), Err(AuthorityError::File(SecretFileError::Exposed { .. }))));
}

#[test]
fn many_that_open_at_once_get_the_same_ca() {
    let folder = folder();
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Authority::open(folder.path(), NOW).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(opened.iter().all(|ca| ca.certificate() == opened[0].certificate()));
}

#[test]
fn a_damaged_ca_is_never_replaced() {
    let folder = folder();
    let path = folder.path().join("device-ca.pem");
    Authority::open(folder.path(), NOW).unwrap();
    let good = std::fs::read_to_string(&path).unwrap();
    let other = KeyPair::generate().unwrap().serialize_pem();
    let (_, certificate) = good.split_at(good.find("-----BEGIN CERTIFICATE").unwrap());
    for bad in ["", "hello", &good[..good.len() / 2], &format!("{other}{certificate}")] {
        std::fs::write(&path, bad).unwrap();
        assert!(matches!(Authority::open(folder.path(), NOW), Err(AuthorityError::Damaged { .. })), "{bad}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
    }
}

#[test]
fn a_node_certificate_says_what_hq_says() {
    let folder = folder();
    let ca = Authority::open(folder.path(), NOW).unwrap();
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let csr = DeviceCsr::parse(&device_csr(&key)).unwrap();
    assert_eq!(csr.public_key(), key.public_key_raw());
    let issued = ca.issue_node(&csr, &urn(), NOW).unwrap();
    let chain = certificates(&issued.chain);
    assert_eq!(chain.len(), 2);
    assert_eq!(&chain[1], ca.certificate());
    assert_eq!(issued.fingerprint, enroll::fingerprint(&chain[0]));
    let (_, leaf) = X509Certificate::from_der(&chain[0]).unwrap();
    assert_eq!(names(&chain[0]), [urn().to_string()]);
    assert!(!leaf.subject().to_string().contains("root of all"));
    let (begins, ends) = (leaf.validity().not_before.timestamp(), leaf.validity().not_after.timestamp());
    assert_eq!((begins, ends), (NOW.0 / 1_000 - 7 * DAY, NOW.0 / 1_000 + 90 * DAY));
    assert_eq!((issued.validity.0.0 / 1_000, issued.validity.1.0 / 1_000), (begins, ends));
    assert_eq!(leaf.raw_serial(), issued.serial);
    assert!(!leaf.is_ca());
    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    let (_, root) = X509Certificate::from_der(&chain[1]).unwrap();
    assert!(root.is_ca() && root.basic_constraints().unwrap().unwrap().value.path_len_constraint == Some(0));
}

#[test]
fn requests_that_prove_nothing_are_refused() {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let good = device_csr(&key);
    assert!(DeviceCsr::parse(&good).is_ok());
    let der = rustls_pki_types::CertificateSigningRequestDer::from_pem_slice(good.as_bytes()).unwrap();
    let mut flipped = der.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let flipped = pem("CERTIFICATE REQUEST", &flipped);
    let p256 = device_csr(&KeyPair::generate().unwrap());
    let large = "x".repeat(100_000);
    for bad in ["", "garbage", &good[..good.len() / 2], flipped.as_str(), p256.as_str(), large.as_str()] {
        assert!(matches!(DeviceCsr::parse(bad), Err(AuthorityError::Csr(_))), "{bad}");
    }
    assert!(TerminalCsr::parse(&p256).is_ok());
    assert!(TerminalCsr::parse(&flipped).is_err());
}

fn pem(label: &str, der: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for block in der.chunks(3) {
        let value = block.iter().fold(0_u32, |v, &b| v << 8 | u32::from(b)) << (8 * (3 - block.len()));
        for place in 0..4 {
            let symbol = alphabet[(value >> (18 - 6 * place) & 63) as usize];
            text.push(if place > block.len() { '=' } else { symbol.into() });
        }
    }
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

#[test]
fn a_terminal_certificate_is_good_for_the_box() {
    let folder = folder();
    let ca = Authority::open(folder.path(), NOW).unwrap();
    let (tenant, shop) = (urn().tenant, urn().shop);
    let shop_ca = ca.new_shop_ca(tenant, shop, "Corner\nshop", NOW).unwrap();
    let csr = TerminalCsr::parse(&device_csr(&KeyPair::generate().unwrap())).unwrap();
    let address = ["192.168.1.9".parse().unwrap(), "fd00::9".parse().unwrap()];
    let chain = ca.issue_terminal((tenant, shop), &shop_ca, &csr, (Some("Till-1"), &address), NOW).unwrap();
    let chain = certificates(&chain);
    let found = names(&chain[0]);
    for name in ["till-1", "till-1.local", "localhost", "[192, 168, 1, 9]", "[127, 0, 0, 1]"] {
        assert!(found.contains(&name.to_owned()), "{name} in {found:?}");
    }
    assert!(!found.contains(&"evil.example".to_owned()));
    assert_eq!(chain[1], certificates(&shop_ca.certificate)[0]);
    // Sealed to its place, and to this device CA.
    let elsewhere = (tenant, ShopId::from_uuid(Uuid::from_u128(9)));
    assert!(matches!(ca.issue_terminal(elsewhere, &shop_ca, &csr, (None, &[]), NOW), Err(AuthorityError::Sealed)));
    let other = tempfile::tempdir().unwrap();
    let other = Authority::open(other.path(), NOW).unwrap();
    assert!(matches!(
        other.issue_terminal((tenant, shop), &shop_ca, &csr, (None, &[]), NOW),
        Err(AuthorityError::Sealed)
    ));
    for length in [0, 5, 12, shop_ca.sealed_key.len() - 1] {
        let cut = SealedShopCa { sealed_key: shop_ca.sealed_key[..length].to_vec(), ..shop_ca.clone() };
        assert!(matches!(ca.issue_terminal((tenant, shop), &cut, &csr, (None, &[]), NOW), Err(AuthorityError::Sealed)));
    }
}

#[derive(Debug)]
struct At(Clock);

impl rustls::time_provider::TimeProvider for At {
    fn current_time(&self) -> Option<rustls_pki_types::UnixTime> {
        let seconds = u64::try_from(self.0.now().0 / 1_000).unwrap();
        Some(rustls_pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

/// One handshake in memory; gives what the server learned of the client.
fn handshake(
    ca: &Authority,
    clock: &Clock,
    server: rustls::ServerConfig,
    client: Option<(&KeyPair, Vec<CertificateDer<'static>>)>,
) -> Result<Option<CertificateDer<'static>>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.certificate().clone()).unwrap();
    let builder = rustls::ClientConfig::builder_with_details(provider, Arc::new(At(clock.clone())))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match client {
        Some((key, chain)) => {
            let key = rustls_pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
            builder.with_client_auth_cert(chain, key.into()).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![enroll::ALPN.to_vec()];
    let mut client = rustls::ClientConnection::new(Arc::new(config), HQ_SERVER_NAME.try_into().unwrap()).unwrap();
    let mut server = rustls::ServerConnection::new(Arc::new(server)).unwrap();
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    assert!(!server.is_handshaking());
    assert_eq!(server.alpn_protocol(), Some(enroll::ALPN));
    Ok(server.peer_certificates().map(|chain| chain[0].clone()))
}

#[test]
fn tls_takes_nodes_of_this_ca_and_renews_itself() {
    let folder = folder();
    let ca = Arc::new(Authority::open(folder.path(), NOW).unwrap());
    let clock = Clock::manual(NOW);
    let certificate = Arc::new(HqCertificate::new(Arc::clone(&ca), clock.clone(), vec!["10.1.1.1".to_owned()]));
    let quic = || DoorTls::Quic.config(Arc::clone(&certificate)).unwrap();
    let tcp = || DoorTls::Tcp.config(Arc::clone(&certificate)).unwrap();
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let csr = DeviceCsr::parse(&device_csr(&key)).unwrap();
    let chain = |ca: &Authority, now| certificates(&ca.issue_node(&csr, &urn(), now).unwrap().chain);
    let mine = chain(&ca, NOW);
    let seen = handshake(&ca, &clock, quic(), Some((&key, mine.clone()))).unwrap();
    assert_eq!(seen.as_ref(), mine.first());
    assert!(handshake(&ca, &clock, quic(), None).is_err(), "QUIC is for nodes only");
    assert_eq!(handshake(&ca, &clock, tcp(), None).unwrap(), None);
    let stranger = tempfile::tempdir().unwrap();
    let stranger = Authority::open(stranger.path(), NOW).unwrap();
    assert!(handshake(&ca, &clock, quic(), Some((&key, chain(&stranger, NOW)))).is_err());
    assert!(handshake(&ca, &clock, tcp(), Some((&key, chain(&stranger, NOW)))).is_err());
    // Two years later the door still shows a certificate that is in date, and wants the same of nodes.
    clock.advance_millis(2 * 365 * DAY * 1_000);
    assert!(handshake(&ca, &clock, quic(), Some((&key, mine))).is_err(), "the node's certificate has ended");
    assert!(handshake(&ca, &clock, quic(), Some((&key, chain(&ca, clock.now())))).is_ok());
}
