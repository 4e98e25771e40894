//! The append-only logs of a node: the truth of the shop. Owns their files and the one thread that writes them.
//! Knows bytes, order and durability; knows nothing of tickets, lanes or the uplink.

mod audit;
mod disk;
mod error;
mod export;
mod index;
mod inspect;
mod recover;
mod retire;
mod scan;
mod segment;
mod shared;
mod spare;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle};

use protocol::event::RawEvent;
use protocol::id::{NodeId, Seq, Stream, Term};
use protocol::ledger::{Hash, Record, RecordError};
use protocol::limits;
use serde::Serialize;
use tokio::sync::{Semaphore, oneshot, watch};

pub use audit::{Damage, DamageKind};
pub use disk::{Disk, Operation};
pub use error::LedgerError;
pub use export::{Selection, export};
pub use inspect::{Finding, LogReport, Progress, repair, verify, verify_ends};
pub use recover::{Loss, StreamReport};
pub use retire::Retired;
pub use shared::Head;

use recover::Place;
use shared::Shared;
use tail::Tail;
use writer::{Answer, Job, Writer};

/// How the logs are kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// The disk they stand on.
    pub disk: Disk,
    /// Whether the next segment is filled with zeros in the background before it is needed. A busy log then syncs up to
    /// twice as fast; it takes one more segment of space per log.
    pub spares: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: limits::SEGMENT_BYTES, disk: Disk::default(), spares: true }
    }
}

/// What opening the logs found and did.
#[derive(Clone, Debug, Serialize)]
pub struct OpenReport {
    /// One entry per stream, in the order of [`Stream::ALL`].
    pub streams: Vec<StreamReport>,
}

impl OpenReport {
    /// All damage that was found.
    pub fn losses(&self) -> impl Iterator<Item = &Loss> {
        self.streams.iter().flat_map(|stream| &stream.losses)
    }
}

/// Where an event stands now, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its term.
    pub term: Term,
    /// Its position.
    pub seq: Seq,
    /// The chain hash after it (the genesis hash in a stream without a chain).
    pub hash: Hash,
}

/// The three logs. Clones share them; when the last one goes, what is left is made durable and the files are let go.
#[derive(Clone)]
pub struct Logs {
    inner: Arc<Inner>,
}

struct Inner {
    node: NodeId,
    term: Term,
    segment_bytes: u64,
    streams: [Arc<Shared>; 3],
    queue: Option<mpsc::Sender<Job>>,
    room: Arc<Semaphore>,
    loose_room: Arc<Semaphore>,
    writer: Option<JoinHandle<()>>,
    _lock: File,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue = None;
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the ledger's writer died");
        }
    }
}

impl Logs {
    /// Opens the logs of a node's term in `root`, or begins them. Cuts torn ends, sets damage aside, reads no more than
    /// the last segment of each. Blocks.
    ///
    /// # Errors
    /// [`LedgerError::Locked`], [`LedgerError::Foreign`], [`LedgerError::OldTerm`], or a disk that cannot be used.
    pub fn open(root: &Path, node: NodeId, term: Term, options: Options) -> Result<(Self, OpenReport), LedgerError> {
        let Options { segment_bytes, disk, .. } = options.clone();
        let lock = lock_logs(&disk, root)?;
        for stream in Stream::ALL {
            let terms = segment::terms(root, stream).map_err(LedgerError::io("list", root))?;
            if let Some(found) = terms.last().copied().filter(|found| *found > term) {
                return Err(LedgerError::OldTerm { found, asked: term });
            }
        }
        let open = |stream| {
            let place = Place::new(root, node, term, stream);
            let opened = recover::recover(&disk, &place, segment_bytes)?;
            Ok::<_, LedgerError>(Tail::new(place, &options, opened))
        };
        let [fiscal, work, telemetry] = Stream::ALL;
        let ((fiscal, a), (work, b), (telemetry, c)) = (open(fiscal)?, open(work)?, open(telemetry)?);
        let tails = [fiscal, work, telemetry];
        let streams = tails.each_ref().map(|tail| Arc::clone(&tail.shared));
        let (queue, jobs) = mpsc::channel();
        let writer = Writer::new(jobs, tails);
        let writer = thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.run())
            .map_err(LedgerError::io("start the writer of", root))?;
        let inner = Inner {
            node,
            term,
            segment_bytes,
            streams,
            queue: Some(queue),
            room: Arc::new(Semaphore::new(limits::LEDGER_QUEUE_BYTES)),
            loose_room: Arc::new(Semaphore::new(limits::LEDGER_LOOSE_BYTES)),
            writer: Some(writer),
            _lock: lock,
        };
        Ok((Self { inner: Arc::new(inner) }, OpenReport { streams: vec![a, b, c] }))
    }

    /// The node whose logs these are.
    pub fn node(&self) -> NodeId {
        self.inner.node
    }

    /// The term they are written under.
    pub fn term(&self) -> Term {
        self.inner.term
    }

    /// Appends one event and answers when it is durable. A caller that stops waiting once it is queued does not stop
    /// the event: it is written all the same.
    ///
    /// # Errors
    /// [`LedgerError::DiskFull`] and [`LedgerError::NotDurable`]: not acknowledged; [`RecordError::TooLarge`].
    pub async fn append(&self, stream: Stream, event: RawEvent) -> Result<Appended, LedgerError> {
        let appended = self.append_all(vec![(stream, event)]).await?;
        appended.first().copied().ok_or(LedgerError::Closed)
    }

    /// Appends several events, in order, with one sync of each log they touch, and answers when all are durable. Not
    /// atomic: after an error some of them may be in the log.
    ///
    /// # Errors
    /// As [`Self::append`]; [`LedgerError::TooMuch`] beyond [`limits::LEDGER_QUEUE_BYTES`].
    pub async fn append_all(&self, items: Vec<(Stream, RawEvent)>) -> Result<Vec<Appended>, LedgerError> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let cost = cost_of(&items)?;
        let room = Arc::clone(&self.inner.room);
        let permit = room.acquire_many_owned(cost).await.map_err(|_| LedgerError::Closed)?;
        let (answer, answered) = oneshot::channel::<Answer>();
        self.send(Job::Waiting { items, permit, answer })?;
        answered.await.map_err(|_| LedgerError::Closed)?
    }

    /// Answers when the writer has taken its turn: a sign of life, and nothing is written for it.
    ///
    /// # Errors
    /// [`LedgerError::Closed`]: the writer has ended.
    pub async fn answers(&self) -> Result<(), LedgerError> {
        let permit = Arc::clone(&self.inner.room).acquire_many_owned(0).await.map_err(|_| LedgerError::Closed)?;
        let (answer, answered) = oneshot::channel::<Answer>();
        self.send(Job::Waiting { items: Vec::new(), permit, answer })?;
        answered.await.map_err(|_| LedgerError::Closed)?.map(drop)
    }

    /// [`Self::append_all`] from a thread that may block; never from an async worker.
    fn append_all_blocking(&self, items: Vec<(Stream, RawEvent)>) -> Result<Vec<Appended>, LedgerError> {
        block_on(self.append_all(items))
    }

    /// Appends an event that nobody waits for. It is durable within half a second, or with the next sync of its log.
    /// After a failure of the disk it is kept and tried again.
    ///
    /// # Errors
    /// [`LedgerError::QueueFull`] when more than [`limits::LEDGER_LOOSE_BYTES`] are on their way.
    pub fn append_unsynced(&self, stream: Stream, event: RawEvent) -> Result<(), LedgerError> {
        if event.body.len() > limits::EVENT_BYTES {
            return Err(RecordError::TooLarge { bytes: event.body.len() }.into());
        }
        let cost = u32::try_from(item_cost(&event)).map_err(|_| LedgerError::QueueFull)?;
        let permit = Arc::clone(&self.inner.loose_room).try_acquire_many_owned(cost).map_err(|_| {
            metrics::counter!("tillway_ledger_loose_refused_total", "stream" => stream.name()).increment(1);
            LedgerError::QueueFull
        })?;
        self.send(Job::Loose { stream, event, permit })
    }

    /// Durable records of the current term from `from` on (or from the first kept one), at most `max_events` and about
    /// `max_bytes` of bodies, but at least one if there is one. Where a record is damaged, its seq is missing. Blocks on
    /// the disk for what is not in the page cache.
    ///
    /// # Errors
    /// The disk's.
    pub fn read(
        &self,
        stream: Stream,
        from: Seq,
        max_events: usize,
        max_bytes: usize,
    ) -> Result<Vec<Record>, LedgerError> {
        self.shared(stream).read(from, max_events, max_bytes)
    }

    /// One durable record; `None` if it is retired, damaged or not there yet.
    ///
    /// # Errors
    /// The disk's.
    pub fn read_one(&self, stream: Stream, seq: Seq) -> Result<Option<Record>, LedgerError> {
        let mut hit = None;
        self.shared(stream).walk(seq, seq, &mut |found| {
            hit = Some(found.to_record());
            Ok(ControlFlow::Break(()))
        })?;
        Ok(hit.filter(|record| record.seq == seq))
    }

    /// Where a log stands.
    pub fn head(&self, stream: Stream) -> Head {
        self.shared(stream).head()
    }

    /// The durable head as it moves. Never ahead of the medium.
    pub fn watch(&self, stream: Stream) -> watch::Receiver<Seq> {
        self.shared(stream).head.subscribe()
    }

    /// Shows every durable record from `from` to the head of this moment, one at a time.
    ///
    /// # Errors
    /// The disk's, or what `f` returns, which ends the replay.
    pub fn replay(
        &self,
        stream: Stream,
        from: Seq,
        f: &mut dyn FnMut(&Record) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let shared = self.shared(stream);
        let upto = shared.durable();
        shared.walk(from, upto, &mut |found| {
            f(&found.to_record())?;
            Ok(ControlFlow::Continue(()))
        })
    }

    fn shared(&self, stream: Stream) -> &Shared {
        let [fiscal, work, telemetry] = &self.inner.streams;
        match stream {
            Stream::Fiscal => fiscal,
            Stream::Work => work,
            Stream::Telemetry => telemetry,
        }
    }

    fn segment_bytes(&self) -> u64 {
        self.inner.segment_bytes
    }

    fn send(&self, job: Job) -> Result<(), LedgerError> {
        let queue = self.inner.queue.as_ref().ok_or(LedgerError::Closed)?;
        queue.send(job).map_err(|_| LedgerError::Closed)
    }
}

/// The place of a stream in an array of all.
const fn slot(stream: Stream) -> usize {
    match stream {
        Stream::Fiscal => 0,
        Stream::Work => 1,
        Stream::Telemetry => 2,
    }
}

fn item_cost(event: &RawEvent) -> usize {
    event.body.len() + limits::LEDGER_QUEUE_ITEM_BYTES
}

fn cost_of(items: &[(Stream, RawEvent)]) -> Result<u32, LedgerError> {
    if let Some((_, event)) = items.iter().find(|(_, event)| event.body.len() > limits::EVENT_BYTES) {
        return Err(RecordError::TooLarge { bytes: event.body.len() }.into());
    }
    let bytes = items.iter().map(|(_, event)| item_cost(event)).sum();
    let cost = u32::try_from(bytes).map_err(|_| LedgerError::TooMuch { bytes })?;
    if bytes > limits::LEDGER_QUEUE_BYTES { Err(LedgerError::TooMuch { bytes }) } else { Ok(cost) }
}

/// Waits for a future that needs no runtime: the queue's room and the writer's answer need none.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Keeps a second writer out of the logs for as long as the file lives.
pub(super) fn lock_logs(disk: &Disk, root: &Path) -> Result<File, LedgerError> {
    disk.create_dir(root).map_err(LedgerError::io("create", root))?;
    let path: PathBuf = root.join("lock");
    let lock = disk.lock_file(&path).map_err(LedgerError::io("lock", &path))?;
    lock.ok_or_else(|| LedgerError::Locked { root: root.to_owned() })
}
