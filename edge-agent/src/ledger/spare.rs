//! The next segment of a log, filled with zeros in the background before it is needed. Reserved space alone is not
//! enough: the first write to it changes the file system's own records, and the sync then waits for its journal too
//! (measured on ext4: twice as long for a batch of 32 sales). Owns one file, `spare.ready`; a log without it only writes
//! slower. A spare that cannot be made is an early warning of a full disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use protocol::id::Seq;

use super::disk::Disk;

/// Zeros between two syncs: small enough that a sale that syncs meanwhile hardly waits.
const CHUNK: usize = 256 << 10;
/// How often per segment a spare is tried if there is none: at a quarter, a half and three quarters.
const TRIES: u64 = 4;

pub(super) struct Spare {
    dir: PathBuf,
    disk: Disk,
    size: u64,
    on: bool,
    tried: (Seq, u64),
    worker: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Spare {
    pub(super) fn new(dir: &Path, disk: Disk, size: u64, on: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        Self { dir: dir.to_owned(), disk, size, on, tried: (Seq(0), 0), worker: None, stop }
    }

    fn ready(&self) -> PathBuf {
        self.dir.join("spare.ready")
    }

    /// Begins to make one, if the segment that starts with `first` is full enough and there is none.
    pub(super) fn prepare(&mut self, first: Seq, used: u64) {
        let quarter = used.saturating_mul(TRIES) / self.size.max(1);
        if !self.on || quarter == 0 || (first, quarter) <= self.tried {
            return;
        }
        self.tried = (first, quarter);
        if !self.reap() || self.ready().exists() {
            return;
        }
        let (dir, disk, size, stop) = (self.dir.clone(), self.disk.clone(), self.size, Arc::clone(&self.stop));
        let spawned = thread::Builder::new().name("ledger-spare".to_owned()).spawn(move || {
            if let Err(error) = make(&disk, &dir, size, &stop) {
                metrics::counter!("tillway_ledger_spare_failures_total").increment(1);
                tracing::warn!(%error, dir = %dir.display(), "no room could be made for the next segment: free the disk");
            }
        });
        match spawned {
            Ok(worker) => self.worker = Some(worker),
            Err(error) => tracing::warn!(%error, "the next segment is not prepared"),
        }
    }

    /// The file of a whole spare of the right size, if there is one.
    pub(super) fn take(&mut self, size: u64) -> Option<PathBuf> {
        if !self.on || size != self.size || !self.reap() {
            return None;
        }
        let ready = self.ready();
        match ready.metadata() {
            Ok(meta) if meta.len() == size => Some(ready),
            Ok(_) => {
                drop(self.disk.remove(&ready));
                None
            }
            Err(_) => None,
        }
    }

    /// True when nobody is at work.
    fn reap(&mut self) -> bool {
        if self.worker.as_ref().is_some_and(|worker| !worker.is_finished()) {
            return false;
        }
        if self.worker.take().is_some_and(|worker| worker.join().is_err()) {
            tracing::error!("the preparation of a segment died");
        }
        true
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
    }
}

fn make(disk: &Disk, dir: &Path, size: u64, stop: &AtomicBool) -> io::Result<()> {
    let fresh = dir.join("spare.new");
    let made = (|| {
        let file = disk.create(&fresh)?;
        disk.preallocate(&file, size)?;
        let mut at = 0;
        while at < size {
            if stop.load(Ordering::Relaxed) {
                return disk.remove(&fresh);
            }
            let to = (at + CHUNK as u64).min(size);
            disk.zero(&file, at, to)?;
            disk.sync_data(&file)?;
            at = to;
        }
        disk.sync_all(&file)?;
        disk.rename(&fresh, &dir.join("spare.ready"))
    })();
    if made.is_err() {
        drop(disk.remove(&fresh));
    }
    made
}
