//! Where the running cluster is, for commands beside `serve` and for people.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use super::error::{EmbeddedError, file_error};
use crate::db::Urls;

/// The role that made the cluster.
pub(super) const SUPERUSER: &str = "postgres";
/// How long a start may take. After a crash PostgreSQL first replays its log.
pub(in crate::db) const START_PATIENCE: Duration = Duration::from_secs(300);

/// Where the running cluster is: `<state>/postgres.json`, for commands beside `serve` and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Folder of the unix socket.
    pub socket_dir: PathBuf,
    /// Number in the socket's name.
    pub port: u16,
    /// Folder of the data.
    pub data: PathBuf,
    /// Name of the database.
    pub database: String,
}

impl Record {
    pub(super) fn path(state: &Path) -> PathBuf {
        state.join("postgres.json")
    }

    /// The record of a cluster that runs now, if one does.
    ///
    /// # Errors
    /// [`EmbeddedError::File`] if the record cannot be read.
    pub fn of_running(state: &Path) -> Result<Option<Self>, EmbeddedError> {
        let path = Self::path(state);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file_error(&path)(error)),
        };
        // A half-written or foreign record is as good as none: the lock decides who runs.
        Ok(serde_json::from_slice(&text).ok())
    }

    fn options(&self, role: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(self.port)
            .username(role)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// How the roles reach it.
    pub fn urls(&self) -> Urls {
        Urls { app: self.options("tw_app", &self.database), platform: self.options("tw_platform", &self.database) }
    }

    /// How the owner reaches the database named `database`.
    pub(in crate::db) fn owner(&self, database: &str) -> PgConnectOptions {
        self.options("tw_owner", database)
    }

    /// How the superuser reaches the database named `database`.
    pub(in crate::db) fn superuser(&self, database: &str) -> PgConnectOptions {
        self.options(SUPERUSER, database)
    }
}

/// Waits until the cluster answers.
pub(in crate::db) async fn wait_ready(record: &Record, patience: Duration) -> Result<(), EmbeddedError> {
    let begun = Instant::now();
    let options = record.superuser(SUPERUSER);
    loop {
        match options.connect().await {
            Ok(connection) => return Ok(connection.close().await?),
            Err(error) if begun.elapsed() > patience => {
                tracing::error!(%error, "the private PostgreSQL does not answer");
                return Err(EmbeddedError::NotReady(patience));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
