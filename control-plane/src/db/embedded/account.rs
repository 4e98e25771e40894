//! Who PostgreSQL runs as: it refuses root, so root lends it an unprivileged account, and every folder on the
//! way to its data must let that account through.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;

/// An account of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// The account to drop to: none unless we are root; then `postgres`, else `nobody`.
    pub(super) fn to_drop_to() -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        ["postgres", "nobody"].iter().find_map(|name| Self::find(&passwd, name))
    }

    fn find(passwd: &str, wanted: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|name| *name == wanted)?;
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            (uid != 0).then(|| Self { name: name.to_owned(), uid, gid })
        })
    }

    /// The first folder on the way to `path` (itself included) that this account may not pass.
    pub(super) fn stopped_by(&self, path: &Path) -> Option<PathBuf> {
        let mut folders: Vec<&Path> = path.ancestors().collect();
        folders.reverse();
        folders.into_iter().find(|folder| !self.may_pass(folder)).map(Path::to_path_buf)
    }

    fn may_pass(&self, folder: &Path) -> bool {
        let Ok(meta) = std::fs::metadata(folder) else {
            return true; // not there yet: it will be made passable
        };
        let bit = if meta.uid() == self.uid {
            0o100
        } else if meta.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        meta.mode() & bit != 0
    }
}

/// A command that runs as `account` (if any), in a process group of its own, so that Ctrl-C in a terminal
/// reaches head office alone, which then stops PostgreSQL in order.
pub(super) fn command(program: &Path, account: Option<&Account>) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command.process_group(0).current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
    command
}

/// The same, but when head office dies without a word (kill -9) the child gets `signal`.
pub(super) fn tethered(program: &Path, account: Option<&Account>, signal: &str) -> Command {
    use std::os::unix::process::CommandExt;
    let Some(setpriv) = ["/usr/bin/setpriv", "/bin/setpriv"].iter().map(Path::new).find(|path| path.exists()) else {
        return command(program, account); // the next start stops what was left over
    };
    let mut command = Command::new(setpriv);
    command.arg("--pdeathsig").arg(signal);
    if let Some(account) = account {
        command.arg("--reuid").arg(account.uid.to_string()).arg("--regid").arg(account.gid.to_string());
        command.arg("--clear-groups");
    }
    command.arg("--").arg(program);
    command.process_group(0).current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
    command
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_account_is_read_from_the_password_file_and_never_root() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgres:x:101:104:,,,:/var:/bin/sh\nnobody:x:0:0::/:/x\n";
        assert_eq!(
            Account::find(passwd, "postgres"),
            Some(Account { name: "postgres".to_owned(), uid: 101, gid: 104 })
        );
        assert_eq!(Account::find(passwd, "nobody"), None);
        assert_eq!(Account::find(passwd, "somebody"), None);
    }

    #[test]
    fn the_folder_in_the_way_is_named() {
        let top = tempfile::tempdir().unwrap();
        let closed = top.path().join("closed");
        let inner = closed.join("inner");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::set_permissions(top.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
        let stranger = Account { name: "stranger".to_owned(), uid: 4_000_001, gid: 4_000_001 };
        assert_eq!(stranger.stopped_by(&inner), Some(closed.clone()));
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o711)).unwrap();
        assert_eq!(stranger.stopped_by(&inner), None);
    }
}
