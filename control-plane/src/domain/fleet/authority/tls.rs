//! TLS of HQ's own doors: a certificate from the device CA that renews itself, and client certificates that must
//! come from the same CA. Who the client is, and whether it is still welcome, `fleet::service::admit` decides.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::enroll::ALPN;
use protocol::timestamp::Timestamp;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::UnixTime;

use super::issue::HQ_DAYS;
use super::{Authority, AuthorityError};
use crate::clock::Clock;

/// HQ's certificate. Made when it is first asked for and again from half life, so that a process that runs for
/// years never shows an expired one.
pub struct HqCertificate {
    authority: Arc<Authority>,
    clock: Clock,
    names: Vec<String>,
    current: Mutex<Option<(Arc<CertifiedKey>, Timestamp)>>,
}

impl fmt::Debug for HqCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HqCertificate").field("names", &self.names).finish_non_exhaustive()
    }
}

impl HqCertificate {
    /// A certificate that answers to these names and addresses besides the fixed one and loopback.
    pub fn new(authority: Arc<Authority>, clock: Clock, names: Vec<String>) -> Self {
        Self { authority, clock, names, current: Mutex::new(None) }
    }

    fn current(&self) -> Result<Arc<CertifiedKey>, AuthorityError> {
        let now = self.clock.now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((certified, renew_at)) = current.as_ref()
            && now < *renew_at
        {
            return Ok(Arc::clone(certified));
        }
        let (chain, key, ends) = self.authority.issue_hq(&self.names, now)?;
        let key = rustls::crypto::ring::sign::any_supported_type(&key)?;
        let certified = Arc::new(CertifiedKey::new(chain, key));
        *current = Some((Arc::clone(&certified), ends.plus_millis(-HQ_DAYS * 24 * 60 * 60 * 1_000 / 2)));
        Ok(certified)
    }
}

impl ResolvesServerCert for HqCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current().map_err(|error| tracing::error!(%error, "HQ cannot make its own certificate")).ok()
    }
}

/// The clock as TLS asks for it.
#[derive(Debug)]
struct TlsTime(Clock);

impl TimeProvider for TlsTime {
    fn current_time(&self) -> Option<UnixTime> {
        let millis = u64::try_from(self.0.now().0).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_millis(millis)))
    }
}

/// Nodes speak TLS 1.3, as QUIC does.
static NODES: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// Which door a TLS configuration is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoorTls {
    /// QUIC: nodes only. TLS 1.3, client certificate required, ALPN `tillway/1`.
    Quic,
    /// TCP: nodes by ALPN `tillway/1` (the gateway must then insist on a client certificate), anybody else by
    /// `http/1.1`, for HTTPS and enrolment.
    Tcp,
}

impl DoorTls {
    /// The server side of this door.
    ///
    /// # Errors
    /// [`AuthorityError::Tls`] when rustls refuses the certificate of the CA.
    pub fn config(self, certificate: Arc<HqCertificate>) -> Result<ServerConfig, AuthorityError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(certificate.authority.certificate().clone())?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = match self {
            Self::Quic => verifier,
            Self::Tcp => verifier.allow_unauthenticated(),
        };
        let verifier = verifier.build().map_err(|error| rustls::Error::General(error.to_string()))?;
        let time = Arc::new(TlsTime(certificate.clock.clone()));
        let mut config = ServerConfig::builder_with_details(provider, time)
            .with_protocol_versions(match self {
                Self::Quic => NODES,
                Self::Tcp => rustls::ALL_VERSIONS,
            })?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(certificate);
        config.alpn_protocols = match self {
            Self::Quic => vec![ALPN.to_vec()],
            Self::Tcp => vec![ALPN.to_vec(), b"http/1.1".to_vec()],
        };
        Ok(config)
    }
}
