//! The file of the sealing keys: a line of 64 hex digits each, the last one seals. Made once, whole or not at all, never
//! replaced, readable by its owner alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::KEY_LEN;
use crate::rng::{self, hex, unhex};

/// What stands above the first key.
const HEADING: &str = "\
# Keys of head office: they seal what the database may not hold in plain, such as the secrets of one-time codes.
# Keep a copy beside the copies of the database; every head office on the same database needs this very file.
# One key a line, 64 hex digits. The last one seals, all of them open. To change the key: add a line above the last one
# and restart every head office with the new file, then move it to the end and restart them again.
";

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file cannot be read or made.
    #[error("cannot use {path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was named and is not there.
    #[error("there is no {path}: copy the file secrets.key of the first head office's state directory there", path = .path.display())]
    Missing {
        /// Which.
        path: PathBuf,
    },
    /// Others may read it.
    #[error("{path} can be read by others: chmod 600 it", path = .path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
    },
    /// The database has secrets that another key sealed.
    #[error(
        "the secrets in this database are sealed with the key {known}, which is not in the file of keys here: give \
         --secrets-key a copy of the file secrets.key that the first head office on this database has, or put it back"
    )]
    Foreign {
        /// The id of the key that it takes.
        known: String,
    },
    /// The database could not be asked which key it takes.
    #[error("cannot compare the keys that seal secrets with those of the database")]
    Database(#[from] crate::db::DbError),
    /// A line is no key.
    #[error("line {line} of {path} is no key of 64 hex digits: restore the file from its copy", path = .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
    },
}

fn named(path: &Path) -> impl FnOnce(io::Error) -> SealError + '_ {
    move |source| SealError::File { path: path.to_owned(), source }
}

/// The text of a new file.
pub(super) fn first(key: &[u8; KEY_LEN]) -> String {
    format!("{HEADING}{}\n", hex(key))
}

/// The keys of a text with the number of their line; none where a line is no key.
pub(super) fn keys(text: &str) -> impl Iterator<Item = (usize, Option<[u8; KEY_LEN]>)> {
    let lines = text.lines().zip(1_usize..).map(|(line, number)| (line.trim(), number));
    lines
        .filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
        .map(|(line, number)| (number, unhex::<KEY_LEN>(line)))
}

/// The text of the file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, SealError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(path)(error)),
    };
    let mode = fs::metadata(path).map_err(named(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(SealError::Exposed { path: path.to_owned() });
    }
    Ok(Some(text))
}

/// Writes the file, unless somebody else was faster; gives back what stands there in the end.
pub(super) fn create(folder: &Path, path: &Path, text: &str) -> Result<String, SealError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(named(folder))?;
    let draft = folder.join(format!(".{}.{}", super::FILE, hex(&rng::bytes::<8>())));
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
