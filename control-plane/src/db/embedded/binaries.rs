//! Finding `initdb` and `postgres`: on PATH, then where distributions put them. Data of a major version needs
//! binaries of that version; new data gets the newest.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::EmbeddedError;

/// The oldest major version whose views can run with their caller's rights.
const OLDEST: u32 = 15;

/// A folder with binaries of one major version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Binaries {
    pub(super) major: u32,
    pub(super) folder: PathBuf,
}

impl Binaries {
    /// Path of one binary.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The binaries for the data in `data`, or the newest if there is none yet.
    pub(super) fn find(data: &Path) -> Result<Self, EmbeddedError> {
        let wanted = std::fs::read_to_string(data.join("PG_VERSION")).ok().and_then(|text| text.trim().parse().ok());
        let found = Self::all();
        Self::choose(found, wanted)
    }

    fn choose(mut found: Vec<Self>, wanted: Option<u32>) -> Result<Self, EmbeddedError> {
        found.sort();
        match wanted {
            Some(major) => {
                found.into_iter().rfind(|set| set.major == major).ok_or(EmbeddedError::WrongVersion { major })
            }
            None => {
                found.into_iter().rfind(|set| set.major >= OLDEST).ok_or(EmbeddedError::NoBinaries { oldest: OLDEST })
            }
        }
    }

    fn all() -> Vec<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        for base in ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt", "/usr"] {
            let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
            folders.extend(entries.map(|entry| entry.path().join("bin")));
        }
        let mut sets = Vec::new();
        for folder in folders {
            if !folder.join("initdb").exists() {
                continue;
            }
            // A link on PATH leads to the folder with the shared files.
            let Ok(postgres) = folder.join("postgres").canonicalize() else { continue };
            let Some(folder) = postgres.parent().filter(|real| real.join("initdb").exists()) else { continue };
            if let Some(major) = version(&postgres) {
                sets.push(Self { major, folder: folder.to_path_buf() });
            }
        }
        sets
    }
}

/// The major version that a binary reports, from `postgres (PostgreSQL) 15.20 (Debian ...)`.
fn version(postgres: &Path) -> Option<u32> {
    let output = Command::new(postgres).arg("--version").output().ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

fn major(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("(PostgreSQL) ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(major: u32) -> Binaries {
        Binaries { major, folder: PathBuf::from(format!("/pg/{major}")) }
    }

    #[test]
    fn data_keeps_its_version_and_new_data_gets_the_newest() {
        let found = vec![set(17), set(14), set(15)];
        assert_eq!(Binaries::choose(found.clone(), None).unwrap(), set(17));
        assert_eq!(Binaries::choose(found.clone(), Some(15)).unwrap(), set(15));
        assert!(matches!(Binaries::choose(found, Some(16)), Err(EmbeddedError::WrongVersion { major: 16 })));
        assert!(matches!(Binaries::choose(vec![set(14)], None), Err(EmbeddedError::NoBinaries { oldest: 15 })));
    }

    #[test]
    fn versions_are_read_as_they_are_printed() {
        assert_eq!(major("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("something else"), None);
    }
}
