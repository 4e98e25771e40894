//! The file of the device CA: key and certificate in one, so that there is never one without the other.
//! Made once, never replaced, readable by its owner alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::AuthorityError;

/// Name of the file in the CA's folder.
pub(super) const DEVICE_CA: &str = "device-ca.pem";

fn named(path: &Path) -> impl FnOnce(io::Error) -> AuthorityError + '_ {
    move |source| AuthorityError::File { path: path.to_owned(), source }
}

/// The text of the file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, AuthorityError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(path)(error)),
    };
    let mode = fs::metadata(path).map_err(named(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(AuthorityError::Exposed { path: path.to_owned() });
    }
    Ok(Some(text))
}

/// Writes the file, unless somebody else was faster; gives back what stands there in the end.
pub(super) fn create(folder: &Path, path: &Path, text: &str) -> Result<String, AuthorityError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(named(folder))?;
    let draft = folder.join(format!(".{DEVICE_CA}.{}", crate::rng::hex(&crate::rng::bytes::<8>())));
    let written = write(&draft, text).map_err(named(&draft));
    // A hard link fails when the name is taken, where a rename would replace what another process just made.
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(named(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    });
    let removed = fs::remove_file(&draft).map_err(named(&draft));
    linked.and(removed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(named(folder))?;
    read(path)?.ok_or_else(|| named(path)(ErrorKind::NotFound.into()))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
