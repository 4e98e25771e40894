//! Files that hold a secret of head office: made once, whole or not at all, never replaced, readable by their owner alone.
//! Knows nothing of what stands in them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::rng;

/// Why a file cannot be used. Whose file it is adds what to do.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It cannot be read or made.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others may read it.
    #[error("{} can be read by others than its owner: chmod 600 it, and consider whether what it holds is still secret",
            path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
    },
}

fn named(path: &Path) -> impl FnOnce(io::Error) -> SecretFileError + '_ {
    move |source| SecretFileError::File { path: path.to_owned(), source }
}

/// The text of a file; `None` when there is none.
///
/// # Errors
/// [`SecretFileError`].
pub fn read(path: &Path) -> Result<Option<String>, SecretFileError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(path)(error)),
    };
    let mode = fs::metadata(path).map_err(named(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(SecretFileError::Exposed { path: path.to_owned() });
    }
    Ok(Some(text))
}

/// Writes a file into a folder, which is made if need be, unless somebody else was faster; gives back what stands there in
/// the end.
///
/// # Errors
/// [`SecretFileError`].
pub fn create(folder: &Path, name: &str, text: &str) -> Result<String, SecretFileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(named(folder))?;
    let path = folder.join(name);
    let draft = folder.join(format!(".{name}.{}", rng::hex(&rng::bytes::<8>())));
    let written = write(&draft, text).map_err(named(&draft));
    // A hard link fails when the name is taken, where a rename would replace what another process just made.
    let linked = written.and_then(|()| match fs::hard_link(&draft, &path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(named(&path)(error)),
        Ok(()) | Err(_) => Ok(()),
    });
    let removed = fs::remove_file(&draft).map_err(named(&draft));
    linked.and(removed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(named(folder))?;
    read(&path)?.ok_or_else(|| named(&path)(ErrorKind::NotFound.into()))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
