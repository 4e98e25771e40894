//! A cluster for tests: fast, thrown away, and gone with the process that made it, however that ends.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::account::{Account, tethered};
use super::binaries::Binaries;
use super::cluster::{DATABASE, PORT, arguments};
use super::error::EmbeddedError;
use super::files::{make, socket_dir};
use super::record::Record;

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
