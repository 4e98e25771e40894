//! The cluster on disk: made once, started on the same data ever after, found by other commands through the
//! record beside it. One process at a time holds its lock.

use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::geteuid;
use sqlx::{ConnectOptions, Connection};

use super::account::{Account, tethered};
use super::binaries::Binaries;
use super::error::{EmbeddedError, file_error};
use super::files::{check_owner, let_through, lock, make, socket_dir, stop_left_over, write_whole};
use super::record::{Record, START_PATIENCE, SUPERUSER, wait_ready};
use super::supervisor::Supervisor;
use crate::db::{migrate_owner, prepare_cluster};

/// The port only names the socket file; nothing listens on TCP.
pub(super) const PORT: u16 = 5432;
/// How long a stop may take before it is forced.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// The database of head office.
pub(super) const DATABASE: &str = "tillway";

/// A private PostgreSQL that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Embedded {
    supervisor: Supervisor,
    record: Record,
    record_path: PathBuf,
    _lock: File,
}

impl Embedded {
    /// Makes the cluster under `state` if there is none, starts it, and brings its schema up to date.
    ///
    /// # Errors
    /// Each says what to do about it.
    pub async fn start(state: &Path) -> Result<Self, EmbeddedError> {
        let place = state.to_path_buf();
        let blocking = tokio::task::spawn_blocking(move || Self::bring_up(&place));
        let started = blocking.await.map_err(|error| EmbeddedError::Spawn(std::io::Error::other(error)))??;
        started.ready(START_PATIENCE).await?;
        started.prepare().await?;
        let text = serde_json::to_vec_pretty(&started.record).unwrap_or_default();
        write_whole(&started.record_path, &text)?;
        tracing::info!(
            socket = %started.record.socket_dir.display(), data = %started.record.data.display(),
            "the private PostgreSQL runs; reach it with psql -h {} -U postgres {DATABASE}",
            started.record.socket_dir.display()
        );
        Ok(started)
    }

    fn bring_up(state: &Path) -> Result<Self, EmbeddedError> {
        let account = Account::to_drop_to();
        if geteuid().is_root() && account.is_none() {
            return Err(EmbeddedError::NoAccount);
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(state).map_err(file_error(state))?;
        let state = state.canonicalize().map_err(file_error(state))?;
        let lock = lock(&state)?;
        if let Some(account) = &account {
            let_through(&state, account)?;
        }
        let data = state.join("postgres");
        let socket_dir = socket_dir(&state, account.as_ref())?;
        let binaries = Binaries::find(&data)?;
        stop_left_over(&data)?;
        if !data.join("PG_VERSION").exists() {
            tracing::info!(data = %data.display(), "making a private PostgreSQL; this takes some seconds, once");
            make(&binaries, &data, account.as_ref(), &[])?;
        }
        check_owner(&data, account.as_ref())?;
        let postgres = binaries.path("postgres");
        let arguments = arguments(&data, &socket_dir, &SERVING);
        let supervisor = Supervisor::start(move || {
            let mut command = tethered(&postgres, account.as_ref(), "INT");
            command.args(&arguments).stdin(Stdio::null());
            command
        })?;
        let record = Record { socket_dir, port: PORT, data, database: DATABASE.to_owned() };
        Ok(Self { supervisor, record, record_path: Record::path(&state), _lock: lock })
    }

    async fn ready(&self, patience: Duration) -> Result<(), EmbeddedError> {
        wait_ready(&self.record, patience).await
    }

    /// Roles, database, schema.
    async fn prepare(&self) -> Result<(), EmbeddedError> {
        let mut admin = self.record.superuser(SUPERUSER).connect().await?;
        prepare_cluster(&mut admin).await?;
        let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'tillway')")
            .fetch_one(&mut admin)
            .await?;
        if !there {
            sqlx::raw_sql("CREATE DATABASE tillway OWNER tw_owner").execute(&mut admin).await?;
        }
        admin.close().await?;
        migrate_owner(&self.record.owner(DATABASE)).await?;
        Ok(())
    }

    /// Where it is.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// Process id of the postmaster while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.supervisor.pid()
    }

    /// How often the postmaster was started: more than once means that it ended by itself.
    pub fn starts(&self) -> u64 {
        self.supervisor.starts()
    }

    /// Stops it in order: a fast shutdown, after which the next start needs no recovery.
    pub async fn stop(self) {
        let stopped = tokio::task::spawn_blocking(move || drop(self)).await;
        if let Err(error) = stopped {
            tracing::error!(%error, "the private PostgreSQL may not have stopped in order");
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.record_path) {
            tracing::debug!(%error, "the record of the private PostgreSQL was gone already");
        }
        self.supervisor.stop(STOP_PATIENCE);
        // A folder that was lent by /tmp goes back; the one in the state directory stays.
        if !self.record.data.parent().is_some_and(|state| self.record.socket_dir.starts_with(state))
            && let Err(error) = std::fs::remove_dir(&self.record.socket_dir)
        {
            tracing::debug!(%error, "the folder of the socket stays");
        }
    }
}

/// Settings of a cluster that holds a head office.
const SERVING: [&str; 5] = [
    "max_connections=60",
    "shared_buffers=128MB",
    "max_wal_size=1GB",
    "checkpoint_timeout=15min",
    "wal_compression=on",
];

/// The command line of the postmaster.
pub(super) fn arguments(data: &Path, socket_dir: &Path, settings: &[&str]) -> Vec<std::ffi::OsString> {
    let mut all: Vec<std::ffi::OsString> = vec!["-D".into(), data.into()];
    let always = [
        "listen_addresses=".to_owned(),
        format!("unix_socket_directories={}", socket_dir.display()),
        "unix_socket_permissions=0700".to_owned(),
        format!("port={PORT}"),
        "logging_collector=off".to_owned(),
        "log_destination=stderr".to_owned(),
        "log_timezone=UTC".to_owned(),
        "timezone=UTC".to_owned(),
    ];
    for setting in always.iter().map(String::as_str).chain(settings.iter().copied()) {
        all.push("-c".into());
        all.push(setting.into());
    }
    all
}
