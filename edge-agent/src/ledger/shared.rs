//! What the writer has published of one log, and how readers read it: durable records only, by pread, through a sparse
//! index, at a cost that grows with what is read and not with the history.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use protocol::id::{Seq, Term};
use protocol::ledger::{Found, Hash, Record};
use protocol::limits;
use tokio::sync::watch;

use super::disk::{Disk, lock};
use super::error::LedgerError;
use super::index::Index;
use super::recover::Place;
use super::scan::{Scanner, Step};
use super::segment::{self, HEADER_BYTES};

/// Where a log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The term it is written under.
    pub term: Term,
    /// The first seq that is still kept.
    pub first_kept: Seq,
    /// The last durable seq; 0 before the first.
    pub durable: Seq,
    /// The chain hash there (the genesis hash for ever in a stream without a chain).
    pub hash: Hash,
}

/// The published state of a log.
pub(super) struct View {
    /// First seqs of the segments, ascending; the last one is written to. Eight bytes for eight MiB of history.
    pub segments: Vec<Seq>,
    pub file: Arc<File>,
    pub index: Index,
    /// Where the durable records of the last segment end.
    pub end: u64,
    pub durable: Seq,
    pub hash: Hash,
    pub acknowledged: Seq,
}

struct Sealed {
    first: Seq,
    file: File,
    index: Index,
}

/// One log as its readers share it.
pub(super) struct Shared {
    pub place: Place,
    pub disk: Disk,
    view: RwLock<View>,
    pub head: watch::Sender<Seq>,
    sealed: Mutex<VecDeque<Arc<Sealed>>>,
    pub retiring: Mutex<()>,
}

/// A stretch of one segment to read.
struct Part {
    source: Source,
    at: u64,
    expect: Seq,
    limit: u64,
    stop: Seq,
}

enum Source {
    Active(Arc<File>),
    Sealed(Arc<Sealed>),
    Gone,
}

impl Shared {
    pub(super) fn new(place: Place, disk: Disk, view: View) -> Self {
        let head = watch::Sender::new(view.durable);
        let (sealed, retiring) = (Mutex::new(VecDeque::new()), Mutex::new(()));
        Self { place, disk, view: RwLock::new(view), head, sealed, retiring }
    }

    /// The published state, locked. Taken twice by one thread it stands still for ever as soon as the writer waits in
    /// between, so a guard ends with its statement: bind what you need of it, never pass it on as an argument.
    pub(super) fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the writer, and for whoever retires segments: never held over a disk access.
    pub(super) fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last durable seq of this moment.
    pub(super) fn durable(&self) -> Seq {
        self.view().durable
    }

    pub(super) fn head(&self) -> Head {
        let view = self.view();
        Head {
            term: self.place.term,
            first_kept: view.segments.first().copied().unwrap_or(Seq(1)),
            durable: view.durable,
            hash: view.hash,
        }
    }

    /// Shows every durable record from `from` to `upto` in order, until `visit` breaks.
    pub(super) fn walk(
        &self,
        from: Seq,
        upto: Seq,
        visit: &mut dyn FnMut(&Found<'_>) -> Result<ControlFlow<()>, LedgerError>,
    ) -> Result<(), LedgerError> {
        let mut from = from;
        while from <= upto {
            let Some(part) = self.locate(from)? else { return Ok(()) };
            if self.read_part(&part, from, upto, visit)?.is_break() {
                return Ok(());
            }
            from = part.stop.max(from.next());
        }
        Ok(())
    }

    fn read_part(
        &self,
        part: &Part,
        from: Seq,
        upto: Seq,
        visit: &mut dyn FnMut(&Found<'_>) -> Result<ControlFlow<()>, LedgerError>,
    ) -> Result<ControlFlow<()>, LedgerError> {
        let file = match &part.source {
            Source::Active(file) => file.as_ref(),
            Source::Sealed(sealed) => &sealed.file,
            Source::Gone => return Ok(ControlFlow::Continue(())),
        };
        let read = LedgerError::io("read", &self.place.dir);
        let mut scanner = Scanner::new(&self.disk, file, &self.place.codec, part.at, part.limit, part.expect);
        let failed = loop {
            if scanner.expect() >= part.stop || scanner.expect() > upto {
                return Ok(ControlFlow::Continue(()));
            }
            match scanner.step() {
                Ok(Step::Record(_, found)) if found.seq >= part.stop || found.seq > upto => {
                    return Ok(ControlFlow::Continue(()));
                }
                Ok(Step::Record(_, found)) if found.seq < from => {}
                Ok(Step::Record(_, found)) => {
                    if visit(&found)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(Step::Hole(hole)) => self.report_hole(hole.missing, hole.next),
                Ok(Step::End(_)) => {
                    self.report_hole(scanner.expect(), part.stop);
                    return Ok(ControlFlow::Continue(()));
                }
                Err(error) => break error,
            }
        };
        Err(read(failed))
    }

    fn report_hole(&self, missing: Seq, next: Seq) {
        metrics::counter!("tillway_ledger_read_holes_total", "stream" => self.place.stream.name()).increment(1);
        tracing::error!(
            stream = %self.place.stream, first = %missing, before = %next,
            "records of a log cannot be read: run `edge-agent journal repair`"
        );
    }

    /// The stretch that holds `from`, or begins with the first kept record after it.
    fn locate(&self, from: Seq) -> Result<Option<Part>, LedgerError> {
        loop {
            let (first, stop) = {
                let view = self.view();
                if from > view.durable {
                    return Ok(None);
                }
                let after = view.segments.partition_point(|first| *first <= from).max(1);
                let first = view.segments.get(after - 1).copied().unwrap_or(Seq(1));
                let Some(stop) = view.segments.get(after).copied() else {
                    let (expect, at) = view.index.find(from).unwrap_or((first, HEADER_BYTES));
                    let source = Source::Active(Arc::clone(&view.file));
                    return Ok(Some(Part { source, at, expect, limit: view.end, stop: view.durable.next() }));
                };
                (first, stop)
            };
            match self.sealed(first) {
                Ok(sealed) => {
                    let (expect, at) = sealed.index.find(from).unwrap_or((first, HEADER_BYTES));
                    let limit = sealed.file.metadata().map_or(limits::SEGMENT_BYTES, |meta| meta.len());
                    return Ok(Some(Part { source: Source::Sealed(sealed), at, expect, limit, stop }));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Retired while we looked: look again. Gone for another reason: step over it.
                    if self.view().segments.contains(&first) {
                        self.report_hole(from, stop);
                        return Ok(Some(Part { source: Source::Gone, at: 0, expect: from, limit: 0, stop }));
                    }
                }
                Err(error) => return Err(LedgerError::io("open", &segment::path(&self.place.dir, first))(error)),
            }
        }
    }

    /// An old segment with its index, from the few that are kept open.
    fn sealed(&self, first: Seq) -> io::Result<Arc<Sealed>> {
        if let Some(hit) = lock(&self.sealed).iter().find(|sealed| sealed.first == first) {
            return Ok(Arc::clone(hit));
        }
        let file = self.disk.open_read(&segment::path(&self.place.dir, first))?;
        let index = match Index::load(&self.disk, &self.place.dir, first) {
            Some(index) if self.trusts(&file, &index) => index,
            _ => self.index_of(&file, first)?,
        };
        let sealed = Arc::new(Sealed { first, file, index });
        let mut kept = lock(&self.sealed);
        kept.push_back(Arc::clone(&sealed));
        if kept.len() > limits::LEDGER_OPEN_SEGMENTS {
            kept.pop_front();
        }
        Ok(sealed)
    }

    /// Whether the entries of an index file lead to records: one proof that it belongs to this segment.
    fn trusts(&self, file: &File, index: &Index) -> bool {
        index.find(Seq(u64::MAX)).is_none_or(|(seq, at)| {
            let mut scanner = Scanner::new(&self.disk, file, &self.place.codec, at, u64::MAX, seq);
            matches!(scanner.step(), Ok(Step::Record(_, found)) if found.seq == seq)
        })
    }

    fn index_of(&self, file: &File, first: Seq) -> io::Result<Index> {
        let mut index = Index::default();
        let size = file.metadata()?.len();
        let mut scanner = Scanner::new(&self.disk, file, &self.place.codec, HEADER_BYTES, size, first);
        loop {
            match scanner.step()? {
                Step::Record(at, found) => index.note(found.seq, at),
                Step::Hole(_) => {}
                Step::End(_) => return Ok(index),
            }
        }
    }

    /// Lets go of a retired segment, so that its space comes free.
    pub(super) fn forget(&self, first: Seq) {
        lock(&self.sealed).retain(|sealed| sealed.first != first);
    }

    /// Records from `from` on, up to a count and a size; at least one if there is one.
    pub(super) fn read(&self, from: Seq, max_events: usize, max_bytes: usize) -> Result<Vec<Record>, LedgerError> {
        let mut records = Vec::new();
        let mut bytes = 0usize;
        if max_events == 0 {
            return Ok(records);
        }
        let upto = self.durable();
        self.walk(from, upto, &mut |found| {
            bytes = bytes.saturating_add(found.body.len());
            if !records.is_empty() && bytes > max_bytes {
                return Ok(ControlFlow::Break(()));
            }
            records.push(found.to_record());
            Ok(if records.len() >= max_events { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(records)
    }
}
