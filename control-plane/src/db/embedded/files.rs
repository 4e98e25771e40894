//! The folders of the cluster: whose they are, who may pass, what an earlier run left in them.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process, test_kill_process};

use super::account::{Account, command};
use super::binaries::Binaries;
use super::error::{EmbeddedError, file_error};
use super::record::SUPERUSER;

/// A unix socket's path holds 107 bytes; `/.s.PGSQL.5432` takes 14 of them.
const SOCKET_DIR_BYTES: usize = 107 - 14;

/// Takes the lock of the state directory, so that two head offices never share it.
pub(super) fn lock(state: &Path) -> Result<File, EmbeddedError> {
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
pub(super) fn let_through(state: &Path, account: &Account) -> Result<(), EmbeddedError> {
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
pub(super) fn socket_dir(state: &Path, account: Option<&Account>) -> Result<PathBuf, EmbeddedError> {
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
pub(super) fn private_dir(path: &Path, account: Option<&Account>) -> Result<(), EmbeddedError> {
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

pub(super) fn check_owner(path: &Path, account: Option<&Account>) -> Result<(), EmbeddedError> {
    let owner = std::fs::symlink_metadata(path).map_err(file_error(path))?.uid();
    let wanted = account.map_or_else(|| geteuid().as_raw(), |account| account.uid);
    if owner == wanted { Ok(()) } else { Err(EmbeddedError::Owner { folder: path.to_path_buf(), owner, wanted }) }
}

/// Makes a cluster beside its final name and moves it there, so that a half-made one never counts.
pub(super) fn make(
    binaries: &Binaries,
    data: &Path,
    account: Option<&Account>,
    more: &[&str],
) -> Result<(), EmbeddedError> {
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
pub(super) fn stop_left_over(data: &Path) -> Result<(), EmbeddedError> {
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

pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), EmbeddedError> {
    let next = path.with_extension("json.new");
    let written = File::create(&next).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(file_error(&next))?;
    std::fs::rename(&next, path).map_err(file_error(path))
}
