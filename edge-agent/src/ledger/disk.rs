//! The only door from the ledger to the file system: every write, sync, rename and unlink passes here, counted, and can
//! be made to fail or to wait. Knows nothing of records. A recording disk for power-cut tests will stand here too.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FallocateFlags, FlockOperation};
use rustix::io::Errno;

/// What can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reserving space for a new file.
    Allocate,
    /// Writing bytes.
    Write,
    /// fdatasync or fsync of a file.
    Sync,
    /// Reading bytes.
    Read,
}

/// Access to the disk. Clones share counters and planned failures.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    syncs: AtomicU64,
    written: AtomicU64,
    read: AtomicU64,
    armed: AtomicBool,
    plan: Mutex<Plan>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Plan {
    failures: Vec<(Operation, i32, u64)>,
    held: Option<Operation>,
    waiting: u64,
}

impl Disk {
    /// Syncs of file data so far.
    pub fn syncs(&self) -> u64 {
        self.inner.syncs.load(Ordering::Relaxed)
    }

    /// Bytes written so far.
    pub fn bytes_written(&self) -> u64 {
        self.inner.written.load(Ordering::Relaxed)
    }

    /// Bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.inner.read.load(Ordering::Relaxed)
    }

    /// Makes the next `times` operations of a kind fail with this error number, as a full or dying disk would.
    pub fn fail(&self, operation: Operation, errno: Errno, times: u64) {
        let mut plan = lock(&self.inner.plan);
        plan.failures.push((operation, errno.raw_os_error(), times));
        self.inner.armed.store(true, Ordering::Release);
    }

    /// Ends all planned failures and lets held operations go.
    pub fn heal(&self) {
        let mut plan = lock(&self.inner.plan);
        plan.failures.clear();
        plan.held = None;
        self.inner.armed.store(false, Ordering::Release);
        self.inner.changed.notify_all();
    }

    /// Holds every operation of a kind until [`Self::heal`], as a disk that takes its time would.
    pub fn hold(&self, operation: Operation) {
        lock(&self.inner.plan).held = Some(operation);
        self.inner.armed.store(true, Ordering::Release);
    }

    /// Blocks until an operation is being held.
    pub fn wait_for_held(&self) {
        let mut plan = lock(&self.inner.plan);
        while plan.waiting == 0 {
            plan = self.inner.changed.wait(plan).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn check(&self, operation: Operation) -> io::Result<()> {
        if !self.inner.armed.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut plan = lock(&self.inner.plan);
        if plan.held == Some(operation) {
            plan.waiting += 1;
            self.inner.changed.notify_all();
            while plan.held == Some(operation) {
                plan = self.inner.changed.wait(plan).unwrap_or_else(PoisonError::into_inner);
            }
            plan.waiting -= 1;
        }
        for (planned, errno, times) in &mut plan.failures {
            if *planned == operation && *times > 0 {
                *times -= 1;
                return Err(io::Error::from_raw_os_error(*errno));
            }
        }
        Ok(())
    }

    pub(super) fn open_read(&self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub(super) fn open_write(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(path)
    }

    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)
    }

    /// Reserves the space of a file up front, so that an append neither runs out of it nor changes the file's size.
    /// A file system that cannot gets a sparse file instead: slower, and a full disk then shows at a write.
    pub(super) fn preallocate(&self, file: &File, bytes: u64) -> io::Result<()> {
        self.check(Operation::Allocate)?;
        loop {
            match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => return file.set_len(bytes),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    pub(super) fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.check(Operation::Write)?;
        file.write_all_at(bytes, offset)?;
        self.inner.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Fills `bytes` as far as the file goes and says how far that was.
    pub(super) fn read_at(&self, file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.check(Operation::Read)?;
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.inner.read.fetch_add(done as u64, Ordering::Relaxed);
        Ok(done)
    }

    /// fdatasync: the bytes are on the medium when this returns. After an error nothing is known about them, and
    /// asking again proves nothing: the kernel may have dropped the dirty pages.
    pub(super) fn sync_data(&self, file: &File) -> io::Result<()> {
        self.check(Operation::Sync)?;
        self.inner.syncs.fetch_add(1, Ordering::Relaxed);
        file.sync_data()
    }

    pub(super) fn sync_all(&self, file: &File) -> io::Result<()> {
        self.check(Operation::Sync)?;
        self.inner.syncs.fetch_add(1, Ordering::Relaxed);
        file.sync_all()
    }

    /// Makes creations, renames and removals in a folder durable.
    pub(super) fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.check(Operation::Sync)?;
        File::open(dir)?.sync_all()
    }

    /// Writes zeros between two places.
    pub(super) fn zero(&self, file: &File, from: u64, to: u64) -> io::Result<()> {
        let zeros = vec![0; 64 << 10];
        let mut at = from;
        while at < to {
            let part = usize::try_from(to - at).unwrap_or(zeros.len()).min(zeros.len());
            self.write_at(file, zeros.get(..part).unwrap_or_default(), at)?;
            at += part as u64;
        }
        Ok(())
    }

    /// Clears what was written between two places at the end of a log, and sees that the file has its whole size again.
    /// On a full disk it stays short, and the next append begins a new segment.
    pub(super) fn cut(&self, file: &File, from: u64, to: u64, size: u64) -> io::Result<()> {
        if self.zero(file, from, to.min(file.metadata()?.len())).is_err() {
            file.set_len(from)?;
        }
        if file.metadata()?.len() < size
            && let Err(error) = self.preallocate(file, size)
        {
            tracing::warn!(%error, "a log could not reserve its space again");
        }
        self.sync_all(file)
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Removes a file; one that is already gone is fine.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Creates a folder and those above it, and makes their names durable.
    pub(super) fn create_dir(&self, dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            return Ok(());
        }
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            self.create_dir(parent)?;
            match fs::create_dir(dir) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                _ => return self.sync_dir(parent),
            }
        }
        fs::create_dir_all(dir)
    }

    /// Writes a file smaller than a sector so that it is either the old or the new one whatever happens: data before
    /// name. On a full disk it writes over the old one instead: what frees the disk must not need room on it.
    pub(super) fn replace_small(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let fresh = path.with_extension("new");
        match self.replace_by(&fresh, path, bytes) {
            Err(e) if e.raw_os_error() == Some(Errno::NOSPC.raw_os_error()) && path.exists() => {
                self.remove(&fresh)?;
                let file = self.open_write(path)?;
                self.write_at(&file, bytes, 0)?;
                self.sync_all(&file)
            }
            other => other,
        }
    }

    fn replace_by(&self, fresh: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = self.create(fresh)?;
        self.write_at(&file, bytes, 0)?;
        self.sync_all(&file)?;
        self.rename(fresh, path)?;
        path.parent().map_or(Ok(()), |dir| self.sync_dir(dir))
    }

    /// Takes the lock that keeps a second writer out; `None` when somebody else has it. Held while the file is open.
    pub(super) fn lock_file(&self, path: &Path) -> io::Result<Option<File>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Locks a mutex; a thread that died while holding it left nothing half done that matters here.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
