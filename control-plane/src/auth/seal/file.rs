//! What stands in the file of the sealing keys: a line of 64 hex digits each, the last one seals.

use std::path::PathBuf;

use super::KEY_LEN;
use crate::rng::{hex, unhex};
use crate::secret_file::SecretFileError;

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
    /// The file cannot be read or made, or others may read it.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// It was named and is not there.
    #[error("there is no {path}: copy the file secrets.key of the first head office's state directory there", path = .path.display())]
    Missing {
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
