//! Reads the files of an identity, and says of a bad one which it is and what to do.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use protocol::enroll::NodeUrn;
use protocol::timestamp::Timestamp;
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::IdentityError;

const RESTORE: &str = "restore it from the backup, or enrol this node again with `provision enroll`";
const PERMIT: &str = "let the user of the agent read it (chown), or start the agent as that user";

fn unreadable(path: &Path, error: &pem::Error) -> IdentityError {
    let (reason, cure) = if let pem::Error::Io(io) = error {
        let denied = io.kind() == std::io::ErrorKind::PermissionDenied;
        (io.to_string(), if denied { PERMIT } else { RESTORE })
    } else {
        (format!("it is damaged: {error}"), RESTORE)
    };
    IdentityError::File { path: path.to_owned(), reason, cure }
}

pub(super) fn damaged(path: &Path, reason: &str) -> IdentityError {
    IdentityError::File { path: path.to_owned(), reason: reason.to_owned(), cure: RESTORE }
}

/// All certificates of a file; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found = found.map_err(|error| unreadable(path, &error))?;
    if found.is_empty() { Err(damaged(path, "there is no certificate in it")) } else { Ok(found) }
}

/// The key of a file. One that others may read still works (a shop must open), and is complained about.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let key = PrivateKeyDer::from_pem_file(path).map_err(|error| unreadable(path, &error))?;
    if let Ok(metadata) = std::fs::metadata(path)
        && metadata.permissions().mode() & 0o077 != 0
    {
        tracing::warn!(path = %path.display(), "others may read this key: chmod 600 it");
    }
    Ok(key)
}

/// What a node's certificate says.
pub(super) struct Named {
    pub(super) urn: NodeUrn,
    pub(super) ends: Timestamp,
}

/// Reads the node's name and the end of its certificate.
pub(super) fn name(path: &Path, certificate: Option<&CertificateDer<'static>>) -> Result<Named, IdentityError> {
    let unnamed = || damaged(path, "it is no certificate of a Tillway node");
    let (_, parsed) = certificate.and_then(|der| X509Certificate::from_der(der).ok()).ok_or_else(unnamed)?;
    let names = parsed.subject_alternative_name().ok().flatten().ok_or_else(unnamed)?;
    let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else { return Err(unnamed()) };
    let ends = parsed.validity().not_after.timestamp().saturating_mul(1_000);
    Ok(Named { urn: uri.parse().map_err(|_| unnamed())?, ends: Timestamp(ends) })
}
