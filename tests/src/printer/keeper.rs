//! Puts receipts into their folder, on a thread of its own: drawing a long one takes seconds, and a printer that draws has
//! to answer meanwhile. Knows files; no commands and no sockets.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::paper::Printed;

/// Receipts that wait to be drawn; what comes on top is not drawn.
const WAITING: usize = 256;

/// The thread that draws, and its queue.
#[derive(Debug)]
struct Writer {
    queue: SyncSender<(u64, Printed)>,
    thread: JoinHandle<()>,
}

/// Where receipts go.
#[derive(Debug)]
pub struct Keeper {
    /// How many receipts are done with, whether there is a folder or not.
    kept: Arc<AtomicU64>,
    changed: watch::Sender<u64>,
    thread: Mutex<Option<Writer>>,
}

impl Keeper {
    /// One that writes into `out`, or only counts.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn start(out: Option<PathBuf>, changed: watch::Sender<u64>) -> anyhow::Result<Self> {
        let kept = Arc::new(AtomicU64::new(0));
        let mut thread = None;
        if let Some(out) = out {
            std::fs::create_dir_all(&out)?;
            let (queue, receipts) = sync_channel::<(u64, Printed)>(WAITING);
            let (kept, changed) = (Arc::clone(&kept), changed.clone());
            let writing = std::thread::Builder::new().name("receipts".to_owned()).spawn(move || {
                for (number, receipt) in receipts {
                    if let Err(error) = write(&out, number, &receipt) {
                        tracing::warn!(number, folder = %out.display(), %error, "a receipt could not be written");
                    }
                    kept.store(number, Ordering::Release);
                    changed.send_modify(|count| *count += 1);
                }
            })?;
            thread = Some(Writer { queue, thread: writing });
        }
        Ok(Self { kept, changed, thread: Mutex::new(thread) })
    }

    /// Receipts up to this number are done with.
    pub fn kept(&self) -> u64 {
        self.kept.load(Ordering::Acquire)
    }

    /// Takes the receipts that were just cut, the first of which has this number.
    pub fn take(&self, first: u64, cut: Vec<Printed>) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, receipt) in (first..).zip(cut) {
            match &*thread {
                Some(writer) => match writer.queue.try_send((number, receipt)) {
                    Ok(()) => {}
                    Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                        tracing::warn!(number, "too many receipts wait to be drawn; this one is not");
                    }
                },
                None => {
                    self.kept.store(number, Ordering::Release);
                    self.changed.send_modify(|count| *count += 1);
                }
            }
        }
    }

    /// Waits until all is written. Blocks.
    ///
    /// # Errors
    /// When the thread died.
    pub fn finish(&self) -> anyhow::Result<()> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Writer { queue, thread }) = thread else { return Ok(()) };
        drop(queue);
        thread.join().map_err(|_| anyhow::anyhow!("the writer of receipts died"))
    }
}

fn write(out: &Path, number: u64, receipt: &Printed) -> anyhow::Result<()> {
    std::fs::write(out.join(format!("{number:04}.txt")), receipt.text() + "\n")?;
    Ok(std::fs::write(out.join(format!("{number:04}.png")), receipt.picture.png()?)?)
}
