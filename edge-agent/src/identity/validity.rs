//! The dates of a certificate file, for those who warn before its end. Checks nothing else of it.

use std::path::Path;

use protocol::timestamp::Timestamp;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{IdentityError, files};

/// From when to when a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Its first moment.
    pub from: Timestamp,
    /// Its last.
    pub ends: Timestamp,
}

/// Reads the dates of the first certificate of a file. Blocks on the disk.
///
/// # Errors
/// [`IdentityError::File`]: it is not there, or no certificate.
pub fn validity(path: &Path) -> Result<Validity, IdentityError> {
    let certificates = files::certificates(path)?;
    let parsed = certificates.first().and_then(|der| X509Certificate::from_der(der).ok());
    let (_, parsed) = parsed.ok_or_else(|| files::damaged(path, "it is no certificate"))?;
    let (from, ends) = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
    Ok(Validity { from: Timestamp(from.saturating_mul(1_000)), ends: Timestamp(ends.saturating_mul(1_000)) })
}
