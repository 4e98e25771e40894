//! Remembers over a restart how far head office has confirmed the fiscal log, so that a box that starts without
//! internet says how many sales really wait. For showing only: what may be deleted is decided by the ledger's own
//! cursor, and a mark that is lost or old only shows too many.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::id::{Seq, Term};
use serde::{Deserialize, Serialize};

/// Written at most this often: nothing depends on the last seconds of it.
const EVERY: Duration = Duration::from_secs(5);

/// What stands in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    term: u32,
    upto: u64,
}

/// The mark. Clones share it.
#[derive(Clone, Debug)]
pub struct Mark {
    path: PathBuf,
    term: Term,
    upto: Arc<AtomicU64>,
}

impl Mark {
    /// Reads the mark of a term; 0 when there is none. Blocks on the disk.
    pub fn open(path: &Path, term: Term) -> Self {
        let written = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Written>(&bytes).ok());
        let upto = written.filter(|written| written.term == term.0).map_or(0, |written| written.upto);
        Self { path: path.to_owned(), term, upto: Arc::new(AtomicU64::new(upto)) }
    }

    /// Up to here head office has everything.
    pub fn upto(&self) -> Seq {
        Seq(self.upto.load(Ordering::Relaxed))
    }

    /// Head office has confirmed up to here. It never goes back.
    pub fn reached(&self, seq: Seq) {
        self.upto.fetch_max(seq.0, Ordering::Relaxed);
    }

    /// Writes the mark down as it moves, until the task is dropped.
    pub async fn keep(self) {
        let (mut tick, mut last) = (tokio::time::interval(EVERY), self.upto());
        loop {
            tick.tick().await;
            let now = self.upto();
            if now == last {
                continue;
            }
            last = now;
            let (path, written) = (self.path.clone(), Written { term: self.term.0, upto: now.0 });
            let write = move || {
                let temporary = path.with_extension("tmp");
                std::fs::write(&temporary, serde_json::to_vec(&written)?)?;
                std::fs::rename(&temporary, &path)
            };
            if let Ok(Err(error)) = tokio::task::spawn_blocking(write).await {
                tracing::debug!(%error, "the mark of head office was not written; the page may show too many waiting");
            }
        }
    }
}
