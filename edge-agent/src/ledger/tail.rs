//! The end of one log as the writer holds it: takes events, writes their records, makes them durable, begins the next
//! segment. After any failed write or sync the file is never written again: what the disk kept of it cannot be known.
//! A fresh segment begins right after the last durable record and everything since is written again, there.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::event::RawEvent;
use protocol::id::Seq;
use protocol::ledger::{Hash, link_parts};
use protocol::limits;
use tokio::sync::OwnedSemaphorePermit;

use super::disk::Disk;
use super::error::Trouble;
use super::index::Index;
use super::recover::{Place, Recovered};
use super::segment::{self, HEADER_BYTES};
use super::shared::{Shared, View};
use super::spare::Spare;
use super::writer::Batch;
use super::{Appended, Options, StreamReport};

const FLUSH_BYTES: usize = 1 << 20;
const KEPT_BUFFER_BYTES: usize = 256 << 10;

/// An event on its way.
pub(super) struct Pending {
    pub event: RawEvent,
    /// Whose it is: the job of the batch and the place in its answer. Nobody waits for a loose one.
    pub waiter: Option<(usize, usize)>,
    /// Keeps the room in the queue of loose events until it is durable.
    _permit: Option<OwnedSemaphorePermit>,
    written_as: Option<Appended>,
}

impl Pending {
    pub(super) fn new(event: RawEvent, waiter: Option<(usize, usize)>, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { event, waiter, _permit: permit, written_as: None }
    }
}

#[derive(Clone, Copy)]
struct Mark {
    seq: Seq,
    hash: Hash,
    offset: u64,
}

/// The writer's side of one log.
pub(super) struct Tail {
    pub shared: Arc<Shared>,
    disk: Disk,
    segment_bytes: u64,
    /// `None` after a failure, until a fresh segment is made.
    file: Option<Arc<File>>,
    first: Seq,
    size: u64,
    durable: Mark,
    written: Mark,
    index: Index,
    pending: Vec<Pending>,
    /// How many of the pending ones are written.
    encoded: usize,
    loose_since: Option<Instant>,
    buffer: Vec<u8>,
    spare: Spare,
}

impl Tail {
    pub(super) fn new(place: Place, options: &Options, opened: Recovered) -> (Self, StreamReport) {
        let Options { segment_bytes, disk, spares } = options.clone();
        let spare = Spare::new(&place.dir, disk.clone(), segment_bytes, spares);
        let mark = Mark { seq: opened.durable, hash: opened.hash, offset: opened.end };
        let first = opened.segments.last().copied().unwrap_or(Seq(1));
        let file = Arc::new(opened.file);
        let view = View {
            segments: opened.segments,
            file: Arc::clone(&file),
            index: opened.index.clone(),
            end: mark.offset,
            durable: mark.seq,
            hash: mark.hash,
            acknowledged: opened.acknowledged,
        };
        let tail = Self {
            shared: Arc::new(Shared::new(place, disk.clone(), view)),
            disk,
            segment_bytes,
            file: Some(file),
            first,
            size: opened.size,
            durable: mark,
            written: mark,
            index: opened.index,
            pending: Vec::new(),
            encoded: 0,
            loose_since: None,
            buffer: Vec::new(),
            spare,
        };
        (tail, opened.report)
    }

    pub(super) fn push(&mut self, pending: Pending) {
        if pending.waiter.is_none() && self.loose_since.is_none() {
            self.loose_since = Some(Instant::now());
        }
        self.pending.push(pending);
    }

    /// When loose events must be synced, if there are any.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.loose_since.map(|since| since + Duration::from_millis(limits::LEDGER_LOOSE_MILLIS))
    }

    /// Writes what is pending, and syncs it if somebody waits for it or `sync` says so. True if it synced.
    pub(super) fn commit(&mut self, sync: bool, answers: &mut Batch) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let sync = sync || self.pending.iter().any(|pending| pending.waiter.is_some());
        let mut trouble = None;
        for _ in 0..2 {
            match self.try_commit(sync, answers) {
                Ok(()) => return sync,
                Err(error) => {
                    self.give_up_file(&error);
                    trouble = Some(error);
                }
            }
        }
        if let Some(trouble) = trouble {
            self.refuse(&trouble, answers);
        }
        sync
    }

    fn try_commit(&mut self, sync: bool, answers: &mut Batch) -> Result<(), Trouble> {
        if self.file.is_none() {
            self.begin_segment(self.segment_bytes)?;
        }
        while let Some(pending) = self.pending.get(self.encoded) {
            let codec = &self.shared.place.codec;
            let len = codec.record_len(pending.event.body.len()) as u64;
            if self.written.offset + len > self.size {
                self.flush()?;
                self.sync(answers)?;
                self.begin_segment(self.segment_bytes.max(HEADER_BYTES + len))?;
                continue;
            }
            self.encode_next()?;
            if self.buffer.len() >= FLUSH_BYTES {
                self.flush()?;
            }
        }
        self.flush()?;
        if sync { Ok(self.sync(answers)?) } else { Ok(()) }
    }

    fn encode_next(&mut self) -> Result<(), Trouble> {
        let codec = self.shared.place.codec;
        let Some(pending) = self.pending.get_mut(self.encoded) else { return Ok(()) };
        let seq = self.written.seq.next();
        let event = &pending.event;
        let hash = if codec.chained() {
            link_parts(&self.written.hash, seq, event.kind, event.version, &event.body)
        } else {
            self.written.hash
        };
        let behind = u32::try_from(self.written.seq.0 - self.durable.seq.0).unwrap_or(u32::MAX);
        let len = codec.encode(&mut self.buffer, seq, event, behind, &hash).map_err(Trouble::TooLarge)?;
        pending.written_as = Some(Appended { term: self.shared.place.term, seq, hash });
        self.index.note(seq, self.written.offset);
        self.written = Mark { seq, hash, offset: self.written.offset + len as u64 };
        self.encoded += 1;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let file = self.file.as_ref().ok_or_else(|| io::Error::other("the segment was given up"))?;
            self.disk.write_at(file, &self.buffer, self.written.offset - self.buffer.len() as u64)?;
            self.buffer.clear();
            self.buffer.shrink_to(KEPT_BUFFER_BYTES);
        }
        Ok(())
    }

    /// Makes durable what is written, shows it to readers, and only then answers.
    fn sync(&mut self, answers: &mut Batch) -> io::Result<()> {
        if self.written.seq == self.durable.seq {
            return Ok(());
        }
        let file = self.file.as_ref().ok_or_else(|| io::Error::other("the segment was given up"))?;
        self.disk.sync_data(file)?;
        self.durable = self.written;
        {
            let mut view = self.shared.view_mut();
            view.index.extend_to(&self.index, self.durable.offset);
            (view.end, view.durable, view.hash) = (self.durable.offset, self.durable.seq, self.durable.hash);
        }
        self.shared.head.send_replace(self.durable.seq);
        for pending in self.pending.drain(..self.encoded) {
            if let (Some(waiter), Some(appended)) = (pending.waiter, pending.written_as) {
                answers.done(waiter, appended);
            }
        }
        self.encoded = 0;
        self.loose_since = None;
        self.spare.prepare(self.first, self.durable.offset);
        Ok(())
    }

    /// Begins a segment right after the last durable record. Everything before must be synced or given up.
    fn begin_segment(&mut self, size: u64) -> Result<(), Trouble> {
        let place = &self.shared.place;
        let first = self.durable.seq.next();
        let spare = self.spare.take(size);
        let file = segment::create(&self.disk, &place.dir, &place.header(first, self.durable.hash), size, spare)?;
        let file = Arc::new(file);
        if first != self.first
            && let Err(error) = self.index.save(&self.disk, &place.dir, self.first)
        {
            tracing::warn!(%error, "the index of an old segment was not written; readers do without");
        }
        self.index = Index::default();
        {
            let mut view = self.shared.view_mut();
            if view.segments.last() != Some(&first) {
                view.segments.push(first);
            }
            view.file = Arc::clone(&file);
            view.index = Index::default();
            view.end = HEADER_BYTES;
        }
        (self.file, self.first, self.size) = (Some(file), first, size);
        self.durable.offset = HEADER_BYTES;
        self.written = self.durable;
        Ok(())
    }

    fn give_up_file(&mut self, trouble: &Trouble) {
        metrics::counter!("tillway_ledger_failures_total", "stream" => self.shared.place.stream.name()).increment(1);
        let reason = match trouble {
            Trouble::Full => "the disk is full",
            Trouble::Failed(reason) => reason,
            Trouble::TooLarge(_) => "an event is larger than a record may be",
        };
        tracing::error!(stream = %self.shared.place.stream, reason, "a log could not be written; its segment is closed");
        self.file = None;
        self.buffer.clear();
        self.written = self.durable;
        self.encoded = 0;
        self.index.cut(self.durable.offset);
    }

    /// Tells those who wait; keeps the loose ones for the next try.
    fn refuse(&mut self, trouble: &Trouble, answers: &mut Batch) {
        let place = &self.shared.place;
        self.pending.retain(|pending| match pending.waiter {
            Some(waiter) => {
                answers.failed(waiter, trouble, place);
                false
            }
            None => true,
        });
        self.loose_since = self.pending.first().map(|_| Instant::now());
    }
}
