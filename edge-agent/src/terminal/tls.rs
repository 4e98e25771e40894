//! TLS of the door on the shop's LAN: the leaf of the shop's own CA, which terminals learned at pairing.

use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Why the door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or holds no PEM.
    #[error("cannot read {path}: {reason}; enrol the node again with `provision enroll`")]
    File {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// Key and certificate do not belong together.
    #[error("the terminal certificate and its key do not belong together: {0}")]
    Mismatch(#[from] rustls::Error),
}

/// An acceptor from certificate chain and key, both PEM files.
///
/// # Errors
/// Files that are missing, unreadable, or do not belong together.
pub fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let unread = |path: &Path| {
        let path = path.display().to_string();
        move |error: rustls_pki_types::pem::Error| TlsError::File { path, reason: error.to_string() }
    };
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect).map_err(unread(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(unread(key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
