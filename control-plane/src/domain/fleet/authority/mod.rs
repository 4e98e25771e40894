//! The certificate authorities: the device CA, which names nodes and HQ itself, and a CA per shop, which names the
//! node's door to terminals. Holds keys and signs; who may have a certificate is decided elsewhere.
//! Knows no database: a shop's CA comes and goes as sealed bytes.

mod issue;
mod seal;
mod tls;

use std::fmt;
use std::path::{Path, PathBuf};

use protocol::enroll;
use protocol::timestamp::Timestamp;
use rcgen::{Issuer, KeyPair};
use rustls_pki_types::CertificateDer;

pub use issue::{DeviceCsr, IssuedNode, TerminalCsr};
pub use seal::SealedShopCa;
pub use tls::{DoorTls, HqCertificate};

use crate::secret_file::{self, SecretFileError};

/// Name of the file in the CA's folder: key and certificate in one, so that there is never one without the other.
const DEVICE_CA: &str = "device-ca.pem";

/// What can go wrong with keys and certificates.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The folder or file of the device CA cannot be read or written, or others may read the key.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The file of the device CA does not hold what it must.
    #[error("{} does not hold a device CA ({reason}): restore it from the backup. Without it no node of this head \
             office can connect, and a new one would mean to enrol every node again", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is missing or does not fit.
        reason: String,
    },
    /// A certificate request is not what it should be; the sender can do something about it.
    #[error("{0}")]
    Csr(&'static str),
    /// A certificate could not be made.
    #[error("the certificate could not be made")]
    Issue(#[from] rcgen::Error),
    /// A shop's CA cannot be opened with the key of this device CA.
    #[error(
        "the CA of the shop was sealed under another device CA: the database and the CA folder do not belong together"
    )]
    Sealed,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// The device CA with its key.
pub struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    seal_key: [u8; 32],
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("fingerprint", &self.fingerprint_text()).finish_non_exhaustive()
    }
}

impl Authority {
    /// Opens the device CA in `folder`, making it when there is none. Two processes that do this at the same time
    /// get the same one. Blocks on the disk.
    ///
    /// # Errors
    /// Files that cannot be used; never replaces one that exists.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, AuthorityError> {
        let path = folder.join(DEVICE_CA);
        let text = match secret_file::read(&path)? {
            Some(text) => text,
            None => {
                let (key, certificate) = issue::new_device_ca(now)?;
                secret_file::create(folder, DEVICE_CA, &format!("{}{certificate}", key.serialize_pem()))?
            }
        };
        Self::from_pem(&text, &path)
    }

    fn from_pem(text: &str, path: &Path) -> Result<Self, AuthorityError> {
        let damaged = |reason: &str| AuthorityError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
        let marker = "-----BEGIN CERTIFICATE-----";
        let (key, rest) = text.split_once(marker).ok_or_else(|| damaged("there is no certificate in it"))?;
        let pem = format!("{marker}{rest}");
        let key = KeyPair::from_pem(key).map_err(|error| damaged(&format!("its key cannot be read: {error}")))?;
        let certificate = issue::certificate_from_pem(&pem).ok_or_else(|| damaged("its certificate cannot be read"))?;
        if !issue::belongs(&certificate, &key) {
            return Err(damaged("its key and its certificate do not belong together"));
        }
        let seal_key = seal::key(&key);
        Ok(Self { issuer: Issuer::from_ca_cert_der(&certificate, key)?, certificate, pem, seal_key })
    }

    /// The CA's certificate (DER): what claim codes carry the fingerprint of.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The CA's certificate (PEM).
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The fingerprint in hexadecimal, for people who compare.
    pub fn fingerprint_text(&self) -> String {
        crate::rng::hex(&enroll::fingerprint(&self.certificate))
    }
}

#[cfg(test)]
mod tests;
