//! Who this node is: its key and certificate, whom it trusts, and the certificate of its terminal door. Reads the
//! files once and checks that they belong together and to `node.toml`; the key stays in memory, in no message and
//! in no log. Knows no connection.

mod files;
mod tls;
mod validity;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use firmware_config::Node;
use firmware_config::layout::Layout;
use protocol::enroll::{CheckpointV1, NodeUrn, Signature, SignedCheckpoint};
use protocol::timestamp::Timestamp;
use ring::signature::Ed25519KeyPair;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::clock::Clock;

pub use validity::{Validity, validity};

/// Why an identity cannot be used. Each names the file and the cure.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file is not there or cannot be read.
    #[error("{}: {reason}; {cure}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system or the reader said.
        reason: String,
        /// What to do.
        cure: &'static str,
    },
    /// Key and certificate are not a pair.
    #[error("{} and {} do not belong together; restore both from the same backup, or enrol this node again with \
             `provision enroll`", certificate.display(), key.display())]
    NotAPair {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The certificate is another node's than `node.toml` says.
    #[error("{} is for {certificate}, but node.toml says {config}; they must be of one enrolment: restore both from \
             the same backup, or enrol this node again with `provision enroll`", path.display())]
    OtherNode {
        /// The certificate.
        path: PathBuf,
        /// Who it is for.
        certificate: String,
        /// Who the configuration is for.
        config: String,
    },
    /// TLS refuses the identity.
    #[error("TLS refuses the identity of this node: {0}")]
    Tls(#[from] rustls::Error),
}

/// What a node is towards HQ.
#[derive(Clone)]
pub struct Identity {
    urn: NodeUrn,
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
    signer: Arc<Ed25519KeyPair>,
    roots: Vec<CertificateDer<'static>>,
    ends: Timestamp,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("urn", &self.urn.to_string()).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads and checks the identity of the node that `node` describes. Blocks on the disk. A certificate past its
    /// date is no error here: the node sells with it, and HQ decides.
    ///
    /// # Errors
    /// [`IdentityError`]: which file, and what to do.
    pub fn load(layout: &Layout, node: &Node) -> Result<Self, IdentityError> {
        let (certificate, key_file) = (layout.device_certificate(), layout.device_key());
        let chain = files::certificates(&certificate)?;
        let roots = files::certificates(&layout.device_ca())?;
        let key = files::key(&key_file)?;
        let signer = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_der())
            .map_err(|_| files::damaged(&key_file, "it is no Ed25519 key"))?;
        let named = files::name(&certificate, chain.first())?;
        let expected = NodeUrn { tenant: node.tenant_id, shop: node.shop_id, node: node.node_id, term: node.term };
        if named.urn != expected {
            return Err(IdentityError::OtherNode {
                path: certificate,
                certificate: named.urn.to_string(),
                config: expected.to_string(),
            });
        }
        if !tls::pair(&chain, &key) {
            return Err(IdentityError::NotAPair { certificate, key: key_file });
        }
        let identity =
            Self { urn: named.urn, chain, key: Arc::new(key), signer: Arc::new(signer), roots, ends: named.ends };
        // A CA file that holds no CA is found now, not at the first connection.
        identity.uplink_tls(&Clock::System)?;
        Ok(identity)
    }

    /// The node's name, as its certificate says it.
    pub const fn urn(&self) -> &NodeUrn {
        &self.urn
    }

    /// When the certificate ends.
    pub const fn ends(&self) -> Timestamp {
        self.ends
    }

    /// TLS towards HQ, for QUIC and for TCP: TLS 1.3, this node's certificate, ALPN `tillway/1`, and nobody trusted
    /// but the device CA. A clock that is behind does not stand in the way.
    ///
    /// # Errors
    /// [`IdentityError::Tls`] when the CA file holds no CA.
    pub fn uplink_tls(&self, clock: &Clock) -> Result<rustls::ClientConfig, IdentityError> {
        Ok(tls::uplink(self.chain.clone(), self.key.clone_key(), &self.roots, clock)?)
    }

    /// Signs where a log stands. `None` never happens: Ed25519 signatures have one length.
    pub fn sign(&self, checkpoint: CheckpointV1) -> Option<SignedCheckpoint> {
        let signature = self.signer.sign(&checkpoint.signing_input(self.urn.node));
        Some(checkpoint.signed(Signature::from_slice(signature.as_ref())?))
    }
}

/// What a node is towards the terminals of its shop.
#[derive(Clone)]
pub struct TerminalIdentity {
    tls: Arc<rustls::ServerConfig>,
    ca: CertificateDer<'static>,
}

impl fmt::Debug for TerminalIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TerminalIdentity").field("ca", &self.ca_fingerprint()).finish_non_exhaustive()
    }
}

impl TerminalIdentity {
    /// Reads and checks the terminal door's certificate, key and CA. Blocks on the disk.
    ///
    /// # Errors
    /// [`IdentityError`]: which file, and what to do.
    pub fn load(layout: &Layout) -> Result<Self, IdentityError> {
        let (certificate, key_file) = (layout.terminal_certificate(), layout.terminal_key());
        let chain = files::certificates(&certificate)?;
        let key = files::key(&key_file)?;
        if !tls::pair(&chain, &key) {
            return Err(IdentityError::NotAPair { certificate, key: key_file });
        }
        let path = layout.shop_ca();
        let ca = files::certificates(&path)?.into_iter().next();
        let ca = ca.ok_or_else(|| files::damaged(&path, "there is no certificate in it"))?;
        Ok(Self { tls: Arc::new(tls::terminal(chain, key)?), ca })
    }

    /// TLS of the terminal door.
    pub fn tls(&self) -> Arc<rustls::ServerConfig> {
        Arc::clone(&self.tls)
    }

    /// SHA-256 of the shop's CA in hexadecimal, as browsers and `openssl x509 -fingerprint -sha256` show it: what
    /// a pairing code carries.
    pub fn ca_fingerprint(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.ca);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests;
