//! The local index: sled behind the guards that its measured faults ask for. Owns opening it and setting it aside;
//! everything in it can be rebuilt from the logs and the snapshots, so nothing here may ever stop a start.

mod ages;
pub mod answers;
pub mod cursors;
pub mod finished;
pub mod index;
pub mod returned;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Cache of the index, in bytes. The default of sled is 1 GiB; the whole agent has 30 MiB.
const CACHE_BYTES: u64 = 8 << 20;
/// How often sled syncs its file and collects garbage. Without this it never calls fsync on Linux.
const FLUSH_MILLIS: u64 = 500;
/// How long an index that somebody holds is waited for, and how often it is looked at.
const HELD_WAIT: Duration = Duration::from_secs(5);
const HELD_LOOK: Duration = Duration::from_millis(20);
/// What sled says of one.
const HELD: &str = "could not acquire lock";
/// A snapshot file of up to this many bytes is nothing but its checksum: a rename that outlived its data.
const EMPTY_SNAPSHOT_BYTES: u64 = 12;
/// Indexes set aside that are kept for inspection; older ones are removed, they hold nothing the logs do not.
const KEPT_ASIDE: usize = 2;
/// Starts that may die while they open the index before it is set aside. One may be a power cut.
const MOST_UNFINISHED: u32 = 2;

/// An open index.
#[derive(Debug)]
pub struct Opened {
    /// The database.
    pub db: sled::Db,
    /// Set when the index begins empty and has to be rebuilt from the logs and snapshots.
    pub rebuilt: Option<Rebuilt>,
    log: File,
}

/// Why an index begins empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebuilt {
    /// There was none: a fresh node, or somebody deleted it.
    Missing,
    /// It would not open and was renamed aside.
    SetAside {
        /// What sled said.
        reason: String,
        /// Where it is now.
        to: PathBuf,
    },
}

/// Why there is no index at all.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Even an empty database could not be made.
    #[error("cannot create the index in {}: {source}: check the disk and the rights of this folder", path.display())]
    Create {
        /// Where.
        path: PathBuf,
        /// What sled said.
        source: sled::Error,
    },
}

impl Opened {
    /// Makes what was written durable: sled's own flush is no fsync on Linux, so its file is synced after it. Blocks.
    ///
    /// # Errors
    /// The disk's. The index is then behind the logs, which is what a restart repairs.
    pub fn sync(&self) -> io::Result<()> {
        self.db.flush().map_err(io::Error::from)?;
        self.log.sync_data()
    }
}

/// Opens the index in `dir`. One that does not open is renamed aside and an empty one takes its place. Blocks.
///
/// # Errors
/// [`StoreError`] when not even an empty index can be made: a full or read-only disk.
pub fn open(dir: &Path) -> Result<Opened, StoreError> {
    let fresh = !dir.join("db").exists();
    create_dir(dir)?;
    let died = unfinished_openings(dir);
    if died >= MOST_UNFINISHED {
        let reason = format!("the agent died {died} times while it opened the index");
        let to = set_aside(dir)?;
        tracing::error!(reason, to = %to.display(), "the index was set aside and is rebuilt");
        mark(dir, 1);
        let db = try_open(dir).map_err(|source| StoreError::Create { path: dir.to_owned(), source })?;
        return finish(dir, db, Some(Rebuilt::SetAside { reason, to }));
    }
    mark(dir, died + 1);
    remove_torn_snapshots(dir)?;
    let (db, rebuilt) = match try_open(dir) {
        Ok(db) => (db, fresh.then_some(Rebuilt::Missing)),
        Err(first) => {
            // Snapshots only save time: without them sled replays its whole log.
            tracing::warn!(error = %first, "the index did not open; trying without its snapshots");
            remove_snapshots(dir, |_, _| true)?;
            match try_open(dir) {
                Ok(db) => (db, fresh.then_some(Rebuilt::Missing)),
                Err(second) => {
                    let to = set_aside(dir)?;
                    tracing::error!(error = %second, to = %to.display(), "the index was set aside and is rebuilt");
                    let db = try_open(dir).map_err(|source| StoreError::Create { path: dir.to_owned(), source })?;
                    (db, Some(Rebuilt::SetAside { reason: second.to_string(), to }))
                }
            }
        }
    };
    finish(dir, db, rebuilt)
}

fn finish(dir: &Path, db: sled::Db, rebuilt: Option<Rebuilt>) -> Result<Opened, StoreError> {
    sync_dir(dir)?;
    let path = dir.join("db");
    let log = OpenOptions::new().write(true).open(&path).map_err(io_error("open", &path))?;
    if let Err(error) = fs::remove_file(marker(dir)) {
        tracing::warn!(%error, "the mark of an unfinished opening could not be removed");
    }
    Ok(Opened { db, rebuilt, log })
}

/// Stands beside the index while it is being opened, with the number of starts that did not get through.
fn marker(dir: &Path) -> PathBuf {
    dir.with_extension("opening")
}

/// Writes the marker. Without it a start is no worse off than before, so a full disk is no reason to stop here.
fn mark(dir: &Path, count: u32) {
    if let Err(error) = fs::write(marker(dir), count.to_string()) {
        tracing::warn!(%error, "the opening of the index could not be marked");
    }
}

fn unfinished_openings(dir: &Path) -> u32 {
    fs::read_to_string(marker(dir)).ok().and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// Opens the index. One that somebody still holds is not broken: an agent that is ending, or a sled whose threads have not
/// let go yet, is waited for.
fn try_open(dir: &Path) -> Result<sled::Db, sled::Error> {
    let mut waited = Duration::ZERO;
    loop {
        match open_once(dir) {
            Err(error) if waited < HELD_WAIT && error.to_string().contains(HELD) => {
                std::thread::sleep(HELD_LOOK);
                waited += HELD_LOOK;
            }
            other => return other,
        }
    }
}

fn open_once(dir: &Path) -> Result<sled::Db, sled::Error> {
    let config = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES).flush_every_ms(Some(FLUSH_MILLIS));
    // sled asserts where it should answer; a panic at open is one more way of not opening. One in a thread of its own
    // ends the agent; then the count of unfinished openings does the same at the second start.
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open()));
    opened.unwrap_or_else(|_| Err(sled::Error::ReportableBug("sled panicked while it opened".to_owned())))
}

fn remove_torn_snapshots(dir: &Path) -> Result<(), StoreError> {
    remove_snapshots(dir, |name, bytes| name.ends_with(".generating") || bytes <= EMPTY_SNAPSHOT_BYTES)
}

fn remove_snapshots(dir: &Path, which: impl Fn(&str, u64) -> bool) -> Result<(), StoreError> {
    let list = |source| StoreError::Io { doing: "list", path: dir.to_owned(), source };
    for entry in fs::read_dir(dir).map_err(list)? {
        let entry = entry.map_err(list)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("snap.") && which(&name, entry.metadata().map_err(list)?.len()) {
            fs::remove_file(entry.path()).map_err(io_error("remove", &entry.path()))?;
        }
    }
    Ok(())
}

/// Renames the folder and makes an empty one. The newest few stay for inspection.
fn set_aside(dir: &Path) -> Result<PathBuf, StoreError> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let parent = dir.parent().unwrap_or(Path::new("."));
    let prefix = format!("{name}.set-aside-");
    let list = |source| StoreError::Io { doing: "list", path: parent.to_owned(), source };
    let mut aside: Vec<u64> = Vec::new();
    for entry in fs::read_dir(parent).map_err(list)? {
        let found = entry.map_err(list)?.file_name().to_string_lossy().into_owned();
        aside.extend(found.strip_prefix(&prefix).and_then(|number| number.parse::<u64>().ok()));
    }
    aside.sort_unstable();
    let number = aside.last().map_or(1, |last| last + 1);
    let to = parent.join(format!("{prefix}{number}"));
    fs::rename(dir, &to).map_err(io_error("set aside", dir))?;
    for old in aside.iter().rev().skip(KEPT_ASIDE - 1) {
        let path = parent.join(format!("{prefix}{old}"));
        if let Err(error) = fs::remove_dir_all(&path) {
            tracing::warn!(%error, path = %path.display(), "an old index could not be removed");
        }
    }
    create_dir(dir)?;
    sync_dir(parent)?;
    Ok(to)
}

fn create_dir(dir: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(dir).map_err(io_error("create", dir))
}

fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("sync", dir))
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(dir: &Path) {
        let opened = open(dir).unwrap();
        for i in 0..2_000u32 {
            opened.db.insert(i.to_be_bytes(), vec![7; 200]).unwrap();
        }
        opened.sync().unwrap();
    }

    fn count(opened: &Opened) -> usize {
        opened.db.iter().filter(|entry| entry.is_ok()).count()
    }

    fn snapshot(dir: &Path) -> PathBuf {
        let mut snapshots: Vec<PathBuf> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("snap."))
            .collect();
        snapshots.sort();
        snapshots.pop().unwrap_or_else(|| dir.join("snap.0000000000000001"))
    }

    #[test]
    fn a_fresh_index_says_so_and_an_old_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let opened = open(&path).unwrap();
        assert_eq!(opened.rebuilt, Some(Rebuilt::Missing));
        drop(opened);
        filled(&path);
        let again = open(&path).unwrap();
        assert_eq!(again.rebuilt, None);
        assert_eq!(count(&again), 2_000);
    }

    /// An agent that is still ending, or sled's own threads, may hold the index for a moment: it is whole, not broken.
    #[test]
    fn an_index_that_somebody_still_holds_is_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("index");
        filled(&dir);
        let held = File::open(dir.join("db")).unwrap();
        rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let opening = std::thread::spawn({
            let dir = dir.clone();
            move || open(&dir).unwrap()
        });
        std::thread::sleep(HELD_LOOK * 4);
        drop(held);
        let opened = opening.join().unwrap();
        assert_eq!((opened.rebuilt.clone(), count(&opened)), (None, 2_000));
    }

    #[test]
    fn torn_snapshots_lose_nothing() {
        for torn in [&b""[..], b"twelve bytes", b"torn in the middle of being written"] {
            for name in ["snap.7FFFFFFFFFFFFFFF.generating", "snap.7FFFFFFFFFFFFFFF"] {
                let dir = tempfile::tempdir().unwrap();
                filled(dir.path());
                fs::write(dir.path().join(name), torn).unwrap();
                let opened = open(dir.path()).unwrap();
                assert_eq!(opened.rebuilt, None, "{name} {torn:?}");
                assert_eq!(count(&opened), 2_000, "{name} {torn:?}");
            }
        }
    }

    #[test]
    fn a_snapshot_cut_anywhere_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        drop(open(dir.path()).unwrap());
        let path = snapshot(dir.path());
        let whole = fs::read(&path).unwrap_or_default();
        for cut in [0, 1, 11, 13, whole.len() / 2, whole.len().saturating_sub(1)] {
            fs::write(&path, whole.get(..cut).unwrap_or_default()).unwrap();
            let opened = open(dir.path()).unwrap();
            assert_eq!((opened.rebuilt.clone(), count(&opened)), (None, 2_000), "cut at {cut}");
        }
    }

    #[test]
    fn an_index_that_kills_the_agent_is_set_aside_at_the_third_start() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("index");
        filled(&dir);
        fs::write(marker(&dir), "1").unwrap();
        assert_eq!(open(&dir).unwrap().rebuilt, None);
        fs::write(marker(&dir), "2").unwrap();
        assert!(matches!(open(&dir).unwrap().rebuilt, Some(Rebuilt::SetAside { .. })));
        assert!(!marker(&dir).exists());
    }

    #[test]
    fn garbage_is_set_aside_and_the_shop_starts() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("index");
        for round in 1..=4u64 {
            filled(&dir);
            for file in ["db", "conf"] {
                fs::write(dir.join(file), b"garbage".repeat(700)).unwrap();
            }
            let opened = open(&dir).unwrap();
            let Some(Rebuilt::SetAside { to, reason }) = opened.rebuilt.clone() else { panic!("{:?}", opened.rebuilt) };
            assert!(to.ends_with(format!("index.set-aside-{round}")) && !reason.is_empty(), "{to:?} {reason}");
            assert_eq!(count(&opened), 0);
            opened.db.insert("works", "again").unwrap();
            opened.sync().unwrap();
        }
        let kept = fs::read_dir(root.path()).unwrap().count();
        assert_eq!(kept, 1 + KEPT_ASIDE);
    }
}
