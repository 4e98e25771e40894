//! The cluster on disk: made once, started on the same data ever after, found by other commands through the
//! record beside it. One process at a time holds its lock.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process, test_kill_process};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use super::account::{Account, command, tethered};
use super::binaries::Binaries;
use super::supervisor::Supervisor;
use crate::db::{DbError, Urls, migrate_owner, prepare_cluster};

/// The port only names the socket file; nothing listens on TCP.
const PORT: u16 = 5432;
/// A unix socket's path holds 107 bytes; `/.s.PGSQL.5432` takes 14 of them, `.lock` 5 more for its lock file.
const SOCKET_DIR_BYTES: usize = 107 - 14;
/// How long a start may take. After a crash PostgreSQL first replays its log.
const START_PATIENCE: Duration = Duration::from_secs(300);
/// How long a stop may take before it is forced.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
const SUPERUSER: &str = "postgres";
const DATABASE: &str = "tillway";

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
    #[error("cannot use {path}")]
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

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> EmbeddedError {
    let path = path.to_path_buf();
    move |source| EmbeddedError::File { path, source }
}

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
    fn path(state: &Path) -> PathBuf {
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
/// Settings of a cluster that is thrown away: nothing is worth a sync.
const THROWN_AWAY: [&str; 7] = [
    "max_connections=300",
    "shared_buffers=64MB",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_wal_size=2GB",
];

fn arguments(data: &Path, socket_dir: &Path, settings: &[&str]) -> Vec<std::ffi::OsString> {
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

async fn wait_ready(record: &Record, patience: Duration) -> Result<(), EmbeddedError> {
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

/// Takes the lock of the state directory, so that two head offices never share it.
fn lock(state: &Path) -> Result<File, EmbeddedError> {
    let path = state.join("lock");
    let file =
        File::options().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(file_error(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EmbeddedError::Locked { folder: state.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(file_error(&path)(error)),
    }
}

/// Lets the account pass through the state directory, which is ours; folders above it are not, and are named.
fn let_through(state: &Path, account: &Account) -> Result<(), EmbeddedError> {
    if let Some(folder) = state.parent().and_then(|above| account.stopped_by(above)) {
        return Err(EmbeddedError::Stopped { folder, user: account.name.clone() });
    }
    if account.stopped_by(state).is_none() {
        return Ok(());
    }
    let mode = std::fs::metadata(state).map_err(file_error(state))?.mode();
    tracing::info!(state = %state.display(), user = account.name, "letting PostgreSQL's user pass (chmod o+x)");
    std::fs::set_permissions(state, std::fs::Permissions::from_mode(mode | 0o001)).map_err(file_error(state))
}

/// The folder of the socket: under the state directory if its name is short enough for a socket, else a private
/// one under /tmp that is named by the state directory's hash.
fn socket_dir(state: &Path, account: Option<&Account>) -> Result<PathBuf, EmbeddedError> {
    let near = state.join("run");
    let chosen = if near.as_os_str().len() <= SOCKET_DIR_BYTES {
        near
    } else {
        let hash = blake3::hash(state.as_os_str().as_encoded_bytes());
        PathBuf::from(format!("/tmp/tillway-{}", &hash.to_hex()[..16]))
    };
    private_dir(&chosen, account)?;
    Ok(chosen)
}

/// Makes a folder that only PostgreSQL's user may enter, or checks that it is one (and not a trap).
fn private_dir(path: &Path, account: Option<&Account>) -> Result<(), EmbeddedError> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {
            if let Some(account) = account {
                chown(path, Some(account.uid), Some(account.gid)).map_err(file_error(path))?;
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(file_error(path)(error)),
    }
    let meta = std::fs::symlink_metadata(path).map_err(file_error(path))?;
    if !meta.is_dir() {
        return Err(file_error(path)(std::io::Error::other("it is not a folder")));
    }
    check_owner(path, account)
}

fn check_owner(path: &Path, account: Option<&Account>) -> Result<(), EmbeddedError> {
    let owner = std::fs::symlink_metadata(path).map_err(file_error(path))?.uid();
    let wanted = account.map_or_else(|| geteuid().as_raw(), |account| account.uid);
    if owner == wanted { Ok(()) } else { Err(EmbeddedError::Owner { folder: path.to_path_buf(), owner, wanted }) }
}

/// Makes a cluster beside its final name and moves it there, so that a half-made one never counts.
fn make(binaries: &Binaries, data: &Path, account: Option<&Account>, more: &[&str]) -> Result<(), EmbeddedError> {
    let fresh = data.with_extension("new");
    for old in [&fresh, &data.to_path_buf()] {
        // An empty folder or one without PG_VERSION is no cluster; one with files in it is not ours to delete.
        let removed = if *old == fresh { std::fs::remove_dir_all(old) } else { std::fs::remove_dir(old) };
        match removed {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(file_error(old)(error)),
        }
    }
    private_dir(&fresh, account)?;
    let output = command(&binaries.path("initdb"), account)
        .arg("-D")
        .arg(&fresh)
        .args(["--username", SUPERUSER, "--auth-local=trust", "--auth-host=reject"])
        .args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"])
        .args(more)
        .output()
        .map_err(EmbeddedError::Spawn)?;
    if !output.status.success() {
        return Err(EmbeddedError::InitDb(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    std::fs::rename(&fresh, data).map_err(file_error(data))
}

/// Ends a postmaster that an earlier head office left running on this data, and forgets a stale pid file whose
/// number has passed to somebody else.
fn stop_left_over(data: &Path) -> Result<(), EmbeddedError> {
    let pid_file = data.join("postmaster.pid");
    let Ok(text) = std::fs::read_to_string(&pid_file) else { return Ok(()) };
    let number: i32 = text.lines().next().and_then(|line| line.trim().parse().ok()).unwrap_or(0);
    let Some(pid) = (number > 1).then(|| Pid::from_raw(number)).flatten() else { return Ok(()) };
    let works_here = std::fs::read_link(format!("/proc/{number}/cwd")).is_ok_and(|cwd| cwd == data);
    if !works_here {
        if test_kill_process(pid).is_ok() {
            tracing::info!(number, "a stale postmaster.pid names a stranger; removing the file");
            std::fs::remove_file(&pid_file).map_err(file_error(&pid_file))?;
        }
        return Ok(()); // PostgreSQL itself copes with the number of a dead process
    }
    tracing::warn!(number, "an earlier PostgreSQL still runs on the data; stopping it");
    for (signal, patience) in [(Signal::INT, Duration::from_secs(30)), (Signal::QUIT, Duration::from_secs(10))] {
        if let Err(error) = kill_process(pid, signal) {
            tracing::debug!(%error, "it has ended meanwhile");
        }
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if !std::fs::read_link(format!("/proc/{number}/cwd")).is_ok_and(|cwd| cwd == data) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Err(EmbeddedError::LeftOver(number.unsigned_abs()))
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), EmbeddedError> {
    let next = path.with_extension("json.new");
    let written = File::create(&next).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(file_error(&next))?;
    std::fs::rename(&next, path).map_err(file_error(path))
}

/// A cluster for tests, in a folder of its own, that cannot outlive this process: a shell holds the other end of
/// a pipe and, when it closes, ends PostgreSQL and removes the folder.
#[derive(Debug)]
pub(in crate::db) struct Scratch {
    pub(in crate::db) record: Record,
    _tether: std::process::ChildStdin,
}

/// What the shell does: `$1` is the folder, the rest is the command of the postmaster.
const TETHER: &str = r#"trap '' INT TERM HUP; dir=$1; shift
"$@" </dev/null >/dev/null 2>"$dir/log" & pid=$!
read -r _ ; kill -QUIT $pid 2>/dev/null; wait $pid; rm -rf "$dir""#;

/// Makes and starts a cluster that is thrown away with this process. Blocks.
pub(in crate::db) fn scratch() -> Result<Scratch, EmbeddedError> {
    use std::os::unix::process::CommandExt;
    let account = Account::to_drop_to();
    let folder = tempfile::Builder::new()
        .prefix("tillway-test-")
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()
        .map_err(EmbeddedError::Spawn)?
        .keep();
    let data = folder.join("data");
    let binaries = Binaries::find(&data)?;
    let socket_dir = socket_dir(&folder, account.as_ref())?;
    make(&binaries, &data, account.as_ref(), &["--no-sync"])?;
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", TETHER, "tillway-test-postgres"]).arg(&folder);
    let inner = tethered(&binaries.path("postgres"), account.as_ref(), "QUIT");
    shell.arg(inner.get_program()).args(inner.get_args()).args(arguments(&data, &socket_dir, &THROWN_AWAY));
    shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = shell.spawn().map_err(EmbeddedError::Spawn)?;
    let tether = child.stdin.take().ok_or_else(|| EmbeddedError::Spawn(std::io::Error::other("no pipe")))?;
    // Reaped by nobody: it ends after us.
    std::thread::spawn(move || child.wait());
    let record = Record { socket_dir, port: PORT, data, database: DATABASE.to_owned() };
    Ok(Scratch { record, _tether: tether })
}

/// Waits until a cluster answers.
pub(in crate::db) async fn record_ready(record: &Record) -> Result<(), EmbeddedError> {
    wait_ready(record, START_PATIENCE).await
}
