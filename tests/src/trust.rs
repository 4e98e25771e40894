//! Whom a terminal trusts: the shop's CA by the fingerprint it was paired with, and on loopback anyone.
//! Knows nothing of HTTP.

use std::sync::Arc;

use anyhow::Context;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// The one provider of the house.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Makes ring the provider of whatever asks for a default; a second call changes nothing.
pub fn install() {
    // An Err says that one is installed already, which is what is wanted.
    drop(rustls::crypto::ring::default_provider().install_default());
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `wanted` (lower-case hexadecimal) is the SHA-256 of a certificate, as browsers show it, or the BLAKE3
/// that Tillway's own codes carry.
fn is_fingerprint(wanted: &str, certificate: &CertificateDer<'_>) -> bool {
    let sha256 = ring::digest::digest(&ring::digest::SHA256, certificate);
    wanted == hexadecimal(sha256.as_ref()) || wanted == hexadecimal(&protocol::enroll::fingerprint(certificate))
}

/// Trusts a chain that holds the pinned CA and is signed by it; with no pin, anyone (loopback only).
#[derive(Debug)]
struct Pinned {
    wanted: Option<String>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(wanted) = &self.wanted else { return Ok(ServerCertVerified::assertion()) };
        let ca = intermediates.iter().find(|certificate| is_fingerprint(wanted, certificate));
        let ca = ca.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The QUIC configuration of a box that says it is the node of `chain` and `key`, right or wrong; it trusts any
/// head office.
///
/// # Errors
/// When the chain and the key cannot be used at all.
pub fn quic_client(
    chain: Vec<CertificateDer<'static>>,
    key: rustls_pki_types::PrivateKeyDer<'static>,
) -> anyhow::Result<quinn::ClientConfig> {
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned { wanted: None, provider: provider() }))
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![protocol::enroll::ALPN.to_vec()];
    Ok(quinn::ClientConfig::new(Arc::new(quinn::crypto::rustls::QuicClientConfig::try_from(config)?)))
}

/// The TLS configuration of a terminal that was paired with `fingerprint` (hexadecimal, colons allowed).
///
/// # Errors
/// When the provider offers no usable protocol version.
pub fn client(fingerprint: Option<&str>) -> anyhow::Result<rustls::ClientConfig> {
    let wanted = fingerprint.map(|text| text.replace(':', "").to_lowercase());
    let verifier = Pinned { wanted, provider: provider() };
    Ok(rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .context("TLS versions")?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}
