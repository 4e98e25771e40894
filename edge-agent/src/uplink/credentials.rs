//! The node's identity as the uplink uses it: TLS towards HQ, and signatures under checkpoints. Reads the files
//! once; the private key stays in memory and never in a message.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use firmware_config::layout::Layout;
use protocol::enroll::{CheckpointV1, Signature, SignedCheckpoint};
use protocol::id::NodeId;
use protocol::version::ALPN;
use quinn::crypto::rustls::QuicClientConfig;
use ring::signature::Ed25519KeyPair;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why the identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file is missing, unreadable, or holds something else.
    #[error("{}: {message}; enrol this node again with `provision enroll`, or restore the file", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Key and certificate do not belong together, or the CA is no CA.
    #[error("the node's identity cannot be used: {0}; enrol this node again with `provision enroll`")]
    Unusable(String),
}

/// Certificate, key and CA of a node.
#[derive(Clone)]
pub struct Credentials {
    tls: Arc<QuicClientConfig>,
    signer: Arc<Ed25519KeyPair>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

fn read<T>(path: &Path, parsed: Result<T, rustls_pki_types::pem::Error>) -> Result<T, CredentialsError> {
    parsed.map_err(|error| CredentialsError::File { path: path.to_owned(), message: error.to_string() })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let items = read(path, CertificateDer::pem_file_iter(path))?;
    read(path, items.collect())
}

impl Credentials {
    /// Reads the identity files. Blocks on the disk.
    ///
    /// # Errors
    /// [`CredentialsError`], with what to do.
    pub fn load(layout: &Layout) -> Result<Self, CredentialsError> {
        let chain = certificates(&layout.device_certificate())?;
        let roots = certificates(&layout.device_ca())?;
        let path = layout.device_key();
        let key = read(&path, PrivateKeyDer::from_pem_file(&path))?;
        Self::new(chain, key, roots)
    }

    /// From certificates and a PKCS#8 Ed25519 key in memory.
    ///
    /// # Errors
    /// [`CredentialsError::Unusable`] if they do not fit together.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        roots: Vec<CertificateDer<'static>>,
    ) -> Result<Self, CredentialsError> {
        let unusable = |error: &dyn fmt::Display| CredentialsError::Unusable(error.to_string());
        let signer = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_der()).map_err(|error| unusable(&error))?;
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root).map_err(|error| unusable(&error))?;
        }
        let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| unusable(&error))?
            .with_root_certificates(store)
            .with_client_auth_cert(chain, key)
            .map_err(|error| unusable(&error))?;
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let tls = QuicClientConfig::try_from(tls).map_err(|error| unusable(&error))?;
        Ok(Self { tls: Arc::new(tls), signer: Arc::new(signer) })
    }

    pub(super) fn tls(&self) -> Arc<QuicClientConfig> {
        Arc::clone(&self.tls)
    }

    /// Signs where a log stands. `None` never happens with an Ed25519 key: its signatures have one length.
    pub(super) fn sign(&self, node: NodeId, checkpoint: CheckpointV1) -> Option<SignedCheckpoint> {
        let signature = self.signer.sign(&checkpoint.signing_input(node));
        Some(checkpoint.signed(Signature::from_slice(signature.as_ref())?))
    }
}
