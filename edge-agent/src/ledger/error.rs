//! What can go wrong with the logs, in words that say what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use protocol::id::{NodeId, Seq, Stream, Term};
use protocol::ledger::RecordError;
use rustix::io::Errno;

/// Why the ledger could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "cannot ...".
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk is full. Nothing of the request is acknowledged; it may be tried again as it is.
    #[error(
        "the disk that holds {} is full, so the {stream} log cannot grow: free at least 16 MiB there and try again",
        dir.display()
    )]
    DiskFull {
        /// The log that cannot grow.
        stream: Stream,
        /// Its folder.
        dir: PathBuf,
    },
    /// The disk failed twice to make the event durable. It is not acknowledged; after a restart it may be there or not,
    /// so a caller that repeats it must do so under the same idempotency key.
    #[error(
        "the disk under {} failed ({reason}), so nothing was acknowledged: check the medium and its cable, \
         repeat the request under the same key, replace the disk if it happens again",
        dir.display()
    )]
    NotDurable {
        /// The log concerned.
        stream: Stream,
        /// Its folder.
        dir: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// More events that nobody waits for than the queue holds. This one was not taken.
    #[error("the ledger's queue is full: the disk is slower than the events come; this event was not recorded")]
    QueueFull,
    /// One request is larger than the whole queue.
    #[error("events of {bytes} bytes in one request are more than the ledger takes at once: split the request")]
    TooMuch {
        /// Bytes asked for.
        bytes: usize,
    },
    /// An event is larger than a record may be.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Another process has these logs open for writing.
    #[error(
        "another process writes the logs in {}: stop it first (only one edge-agent may run on a data folder)",
        root.display()
    )]
    Locked {
        /// The folder of the logs.
        root: PathBuf,
    },
    /// The folder holds the logs of another node.
    #[error(
        "the log {} belongs to node {found}, not to {expected}: point storage.data_dir of node.toml at this node's \
         own data",
        path.display()
    )]
    Foreign {
        /// The segment.
        path: PathBuf,
        /// The node that wrote it.
        found: NodeId,
        /// The node that should have.
        expected: NodeId,
    },
    /// This box was enrolled again, with a higher term, since its configuration was written.
    #[error(
        "the logs already know term {found}, and this configuration says {asked}: an older term may not write; \
         enrol the node again"
    )]
    OldTerm {
        /// The highest term on disk.
        found: Term,
        /// The one in the configuration.
        asked: Term,
    },
    /// What was asked would break a promise of the log.
    #[error("refused: {0}")]
    Refused(&'static str),
    /// A cursor beyond what is durable.
    #[error("record {asked} is beyond the {stream} log, which ends at {durable}")]
    Beyond {
        /// The log.
        stream: Stream,
        /// Asked for.
        asked: Seq,
        /// Where it ends.
        durable: Seq,
    },
    /// The reader's own function refused a record.
    #[error("{0}")]
    Reader(String),
    /// The writer has ended.
    #[error("the ledger is closed")]
    Closed,
}

impl LedgerError {
    /// A reader's own error, to end a replay with.
    pub fn reader(error: impl std::fmt::Display) -> Self {
        Self::Reader(error.to_string())
    }

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}

/// Why a batch did not become durable; every writer that waited for it gets its own copy.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    Full,
    Failed(String),
    TooLarge(RecordError),
}

impl Trouble {
    pub(super) fn for_waiter(&self, stream: Stream, dir: &Path) -> LedgerError {
        match self {
            Self::Full => LedgerError::DiskFull { stream, dir: dir.to_owned() },
            Self::Failed(reason) => LedgerError::NotDurable { stream, dir: dir.to_owned(), reason: reason.clone() },
            Self::TooLarge(error) => LedgerError::Record(*error),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        let full = [Errno::NOSPC, Errno::DQUOT].map(|errno| Some(errno.raw_os_error()));
        if full.contains(&error.raw_os_error()) { Self::Full } else { Self::Failed(error.to_string()) }
    }
}
