//! Whom `provision` talks to: only the head office whose device CA the claim code names. Beyond TLS it believes no
//! name, no other CA and no clock that says "not yet": the claim code is the only thing a new box has.

use std::sync::{Arc, Mutex, PoisonError};

use protocol::enroll::{ClaimCode, HQ_SERVER_NAME};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// What the handshake found wrong with the other side, for a message better than TLS has.
pub(crate) type Verdict = Arc<Mutex<Option<String>>>;

/// Verifies against the CA that the claim names, wherever it stands in the chain that the server shows.
#[derive(Debug)]
struct Pinned {
    code: ClaimCode,
    provider: Arc<CryptoProvider>,
    verdict: Verdict,
}

impl Pinned {
    fn refuse(&self, why: &str, error: Error) -> Error {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
        error
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp_response: &[u8],
        mut now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let ca = intermediates.iter().find(|certificate| self.code.names_ca(certificate));
        let ca = ca.ok_or_else(|| self.refuse("it shows another certificate authority", unknown()))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        let name = ServerName::try_from(HQ_SERVER_NAME).map_err(|error| Error::General(error.to_string()))?;
        // The address on the command line may be anything; HQ's certificate carries its fixed name. A box whose
        // clock is behind takes certificates as of their first moment.
        for _ in 0..3 {
            match inner.verify_server_cert(end_entity, intermediates, &name, ocsp_response, now) {
                Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
                    now = not_before;
                }
                Err(error @ Error::InvalidCertificate(CertificateError::ExpiredContext { .. })) => {
                    let why = "its certificate has ended, by the clock of this box; is the clock right?";
                    return Err(self.refuse(why, error));
                }
                Err(error) => return Err(self.refuse(&error.to_string(), error)),
                Ok(verified) => return Ok(verified),
            }
        }
        Err(self.refuse("its certificate is not valid yet", unknown()))
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

/// TLS towards the head office that made the claim, and the place where a refusal is explained.
///
/// # Errors
/// When rustls knows no protocol version.
pub(crate) fn client(code: ClaimCode) -> Result<(ClientConfig, Verdict), Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verdict = Verdict::default();
    let verifier = Pinned { code, provider: Arc::clone(&provider), verdict: Arc::clone(&verdict) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((config, verdict))
}
