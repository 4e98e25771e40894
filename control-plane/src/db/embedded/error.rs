//! Why the private PostgreSQL does not run, and what to do about it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::db::DbError;

/// Why the private PostgreSQL does not run.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No binaries.
    #[error(
        "no PostgreSQL {oldest} or later was found on PATH or under /usr/lib/postgresql: install the package \
         postgresql (apt-get install postgresql), or give --database-url"
    )]
    NoBinaries {
        /// The oldest version that would do.
        oldest: u32,
    },
    /// Data of another version.
    #[error("the data was made by PostgreSQL {major}, whose binaries are not installed: install postgresql-{major}")]
    WrongVersion {
        /// The data's major version.
        major: u32,
    },
    /// Root has nobody to drop to.
    #[error("PostgreSQL refuses to run as root, and neither the user postgres nor nobody exists: add one of them")]
    NoAccount,
    /// A folder that the unprivileged user may not enter.
    #[error("the user {user} must be able to pass through {folder}: chmod o+x {folder}, or choose another --state")]
    Stopped {
        /// The folder.
        folder: PathBuf,
        /// The user PostgreSQL runs as.
        user: String,
    },
    /// Data that belongs to somebody else.
    #[error("{folder} belongs to user id {owner}, but PostgreSQL would run as {wanted}: run as that user or chown it")]
    Owner {
        /// The folder.
        folder: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who should.
        wanted: u32,
    },
    /// Another process holds the state directory.
    #[error("{folder} is in use by another head office; stop it first, or choose another --state")]
    Locked {
        /// The state directory.
        folder: PathBuf,
    },
    /// A file or folder could not be made or read.
    #[error("cannot use {path} (its disk must be writable, and this user must own it)")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `initdb` failed.
    #[error("initdb failed: {0}")]
    InitDb(String),
    /// The postmaster could not be started.
    #[error("cannot start PostgreSQL")]
    Spawn(#[source] std::io::Error),
    /// It started but does not answer.
    #[error("the private PostgreSQL does not answer after {0:?}; its messages are in the log (target postgres)")]
    NotReady(Duration),
    /// An earlier PostgreSQL on the same data does not end.
    #[error("an earlier PostgreSQL (process {0}) still holds the data and does not end: stop it by hand")]
    LeftOver(u32),
    /// The database inside could not be prepared.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<sqlx::Error> for EmbeddedError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// An error about the file or folder `path`.
pub(super) fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> EmbeddedError {
    let path = path.to_path_buf();
    move |source| EmbeddedError::File { path, source }
}
