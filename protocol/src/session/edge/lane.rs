//! One stream at the node: what HQ has, what is on its way, what to read next. Live events go first and never wait
//! for the backlog; what was not acknowledged in time or was sent back is read and sent again.

use crate::frame::v1::AckV1;
use crate::id::Stream;
use crate::ledger::Record;
use crate::limits;
use crate::session::Tick;
use crate::session::ack::{RangeError, RangeSet};

/// Ranges that need not be sent: HQ's, and as many again for records that are damaged or gone.
const DONE_RANGES: usize = 4 * limits::CURSOR_RANGES;
/// From here on no new live gap is opened: the backlog closes some first.
const MANY_RANGES: usize = limits::CURSOR_RANGES / 4 * 3;
const BATCH: u64 = limits::BATCH_EVENTS as u64;

/// Where a log stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogHead {
    /// The first record still there (1 if none was ever removed).
    pub first_kept: u64,
    /// The last record on disk; 0: none.
    pub durable: u64,
}

/// Records wanted from the log, first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) live: bool,
}

impl Span {
    const fn overlaps(&self, at: u64) -> bool {
        self.first <= at && at <= self.last
    }
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    span: Span,
    deadline: Tick,
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) stream: Stream,
    pub(super) head: LogHead,
    /// HQ's word, as of this connection.
    acked: RangeSet,
    /// Found missing in the log: damaged records that were set aside, telemetry that was dropped.
    absent: RangeSet,
    /// `acked`, `absent` and what was retired: nothing of this need be sent.
    done: RangeSet,
    /// The first seq not yet read as live. Everything below is backlog.
    live_next: u64,
    flights: Vec<Flight>,
    reads: Vec<(u64, Span)>,
    redo: Vec<Span>,
    paused_until: Option<Tick>,
    patience_ms: u64,
}

impl Lane {
    pub(super) const fn new(stream: Stream, head: LogHead) -> Self {
        Self {
            stream,
            head,
            acked: RangeSet::new(),
            absent: RangeSet::new(),
            done: RangeSet::new(),
            live_next: head.durable + 1,
            flights: Vec::new(),
            reads: Vec::new(),
            redo: Vec::new(),
            paused_until: None,
            patience_ms: limits::ACK_TIMEOUT_MS,
        }
    }

    /// HQ said what it has: its word replaces everything believed so far. Returns HQ's last seq if that lies beyond
    /// the log: then this log has lost records, or two boxes write under one name.
    pub(super) fn welcomed(&mut self, hq: &RangeSet) -> Option<u64> {
        self.hung_up();
        self.acked = RangeSet::new();
        self.done = RangeSet::new();
        self.paused_until = None;
        self.patience_ms = limits::ACK_TIMEOUT_MS;
        self.live_next = self.head.durable.saturating_add(1);
        let absent = self.absent.clone();
        for &(first, last) in absent.ranges() {
            self.mark_done(first, last);
        }
        if self.head.first_kept > 1 {
            self.mark_done(1, self.head.first_kept - 1);
        }
        for &(first, last) in hq.ranges() {
            // What HQ has beyond the log does not excuse the records yet to be written under those numbers.
            let last = last.min(self.head.durable);
            if first <= last && self.acked.insert_within(first, last, limits::CURSOR_RANGES).is_ok() {
                self.mark_done(first, last);
            }
        }
        Some(hq.max().0).filter(|max| *max > self.head.durable)
    }

    /// The connection is gone: nothing is on its way.
    pub(super) fn hung_up(&mut self) {
        self.flights.clear();
        self.reads.clear();
        self.redo.clear();
    }

    pub(super) fn grown(&mut self, head: LogHead) {
        self.head.durable = self.head.durable.max(head.durable);
        if head.first_kept > self.head.first_kept {
            self.head.first_kept = head.first_kept;
            self.mark_done(1, head.first_kept - 1);
        }
    }

    /// Takes an acknowledgement; says whether a batch that was on its way is done.
    pub(super) fn acknowledged(&mut self, ack: &AckV1) -> Result<bool, RangeError> {
        if !ack.durable {
            return Ok(false);
        }
        let contiguous = (ack.contiguous > 0).then_some((1, ack.contiguous));
        for (first, last) in ack.ranges.iter().copied().chain(contiguous) {
            if first == 0 || last < first {
                return Err(RangeError::NotARange { first, last });
            }
            let last = last.min(self.head.durable);
            if first <= last {
                self.acked.insert_within(first, last, DONE_RANGES)?;
                self.mark_done(first, last);
            }
        }
        let before = self.flights.len();
        let done = &self.done;
        self.flights.retain(|flight| !done.covers(flight.span.first, flight.span.last));
        self.redo.retain(|span| !done.covers(span.first, span.last));
        let landed = self.flights.len() < before;
        if landed {
            self.patience_ms = limits::ACK_TIMEOUT_MS;
        }
        Ok(landed)
    }

    /// HQ sent a batch back.
    pub(super) fn sent_back(&mut self, first: u64, last: u64, until: Tick) {
        self.paused_until = self.paused_until.max(Some(until));
        self.take_back(|flight| flight.span.first >= first && flight.span.last <= last);
    }

    /// Rests end, and batches without an answer for too long are sent again.
    pub(super) fn expire(&mut self, now: Tick) {
        self.paused_until = self.paused_until.filter(|until| *until > now);
        if self.take_back(|flight| flight.deadline <= now) {
            self.patience_ms = self.patience_ms.saturating_mul(2).min(limits::BACKOFF_CAP_MS);
        }
    }

    fn take_back(&mut self, which: impl Fn(&Flight) -> bool) -> bool {
        let before = self.redo.len();
        self.redo.extend(self.flights.iter().filter(|flight| which(flight)).map(|flight| flight.span));
        self.flights.retain(|flight| !which(flight));
        self.redo.sort_by_key(|span| span.first);
        self.redo.len() > before
    }

    /// The next range to read, if there is room: live first.
    pub(super) fn next_read(&mut self, now: Tick, backlog_may: bool, id: u64) -> Option<Span> {
        if self.paused_until.is_some_and(|until| now < until) {
            return None;
        }
        let span = self.next_live().or_else(|| backlog_may.then(|| self.next_backlog()).flatten())?;
        self.reads.push((id, span));
        Some(span)
    }

    fn busy(&self, live: bool) -> usize {
        let reads = self.reads.iter().filter(|(_, span)| span.live == live).count();
        reads + self.flights.iter().filter(|flight| flight.span.live == live).count()
    }

    fn reading(&self, live: bool) -> bool {
        self.reads.iter().any(|(_, span)| span.live == live)
    }

    fn pop_redo(&mut self, live: bool) -> Option<Span> {
        let at = self.redo.iter().position(|span| span.live == live)?;
        Some(self.redo.remove(at))
    }

    fn next_live(&mut self) -> Option<Span> {
        let waiting = self.head.durable.saturating_add(1).saturating_sub(self.live_next);
        if self.acked.len() >= MANY_RANGES {
            self.live_next = self.head.durable.saturating_add(1); // closes gaps before it opens another
        } else if waiting > limits::LIVE_LAG_EVENTS {
            self.live_next = self.head.durable.saturating_sub(BATCH - 1);
        }
        let (live, all) = (self.busy(true), self.busy(true) + self.busy(false));
        if self.reading(true) || all >= limits::BATCHES_IN_FLIGHT {
            return None;
        }
        if let Some(span) = self.pop_redo(true) {
            return Some(span);
        }
        let (first, durable) = (self.live_next, self.head.durable);
        // Beyond the reserved slots only full batches: under load HQ gets few large transactions, not many small ones.
        let full = durable.saturating_sub(first) + 1 >= BATCH;
        if first > durable || (live >= limits::LIVE_SLOTS && !full) {
            return None;
        }
        let last = durable.min(first.saturating_add(BATCH - 1));
        self.live_next = last + 1;
        Some(Span { first, last, live: true })
    }

    fn next_backlog(&mut self) -> Option<Span> {
        let all = self.busy(true) + self.busy(false);
        let room = limits::BATCHES_IN_FLIGHT - limits::LIVE_SLOTS;
        if self.reading(false) || all >= limits::BATCHES_IN_FLIGHT || self.busy(false) >= room {
            return None;
        }
        if let Some(span) = self.pop_redo(false) {
            return Some(span);
        }
        let end = self.live_next.checked_sub(1)?;
        let mut from = 1;
        loop {
            let (first, last) = self.done.first_gap(from, end)?;
            let busy = self.flights.iter().map(|flight| flight.span).chain(self.reads.iter().map(|(_, span)| *span));
            let busy: Vec<Span> = busy.chain(self.redo.iter().copied()).collect();
            if let Some(taken) = busy.iter().find(|span| span.overlaps(first)) {
                from = taken.last.checked_add(1)?;
                continue;
            }
            let next = busy.iter().map(|span| span.first).filter(|start| *start > first).min();
            let last = last.min(next.map_or(u64::MAX, |start| start - 1)).min(first.saturating_add(BATCH - 1));
            return Some(Span { first, last, live: false });
        }
    }

    /// The shell answered a read: which of the records travel, on which channel. `None` if nothing does. What lies
    /// between two records, or between the start of the range and a record, is not in the log.
    pub(super) fn supplied(&mut self, now: Tick, id: u64, records: &mut Vec<Record>) -> Option<bool> {
        let at = self.reads.iter().position(|(read, _)| *read == id)?;
        let (_, span) = self.reads.remove(at);
        let mut expected = span.first;
        for seq in records.iter().map(|record| record.seq.0) {
            if seq > expected {
                self.mark_absent(expected, seq - 1);
            }
            expected = seq.saturating_add(1);
        }
        records.retain(|record| span.overlaps(record.seq.0));
        records.truncate(crate::frame::fits_in_batch(records));
        let sent_to = records.last().map_or(span.last, |record| record.seq.0);
        if sent_to < span.last && !self.done.covers(sent_to + 1, span.last) {
            self.redo.insert(0, Span { first: sent_to + 1, ..span });
        }
        let first = records.first()?.seq.0;
        let deadline = now.after(self.patience_ms);
        self.flights.push(Flight { span: Span { first, last: sent_to, live: span.live }, deadline });
        Some(span.live)
    }

    /// The shell could not read: again after a while.
    pub(super) fn read_failed(&mut self, id: u64, until: Tick) {
        if let Some(at) = self.reads.iter().position(|(read, _)| *read == id) {
            let (_, span) = self.reads.remove(at);
            self.redo.push(span);
            self.paused_until = self.paused_until.max(Some(until));
        }
    }

    fn mark_absent(&mut self, first: u64, last: u64) {
        // Beyond the limit the range is only forgotten sooner: it is read again on the next connection.
        self.absent.insert_within(first, last, limits::CURSOR_RANGES).ok();
        self.mark_done(first, last);
    }

    fn mark_done(&mut self, first: u64, last: u64) {
        self.done.insert_within(first, last, DONE_RANGES).ok();
    }

    /// Everything up to here may go, as far as HQ is concerned.
    pub(super) fn settled(&self) -> u64 {
        self.done.contiguous().0
    }

    /// Records HQ has not acknowledged.
    pub(super) fn pending(&self) -> u64 {
        self.head.durable.saturating_sub(self.done.count_within(1, self.head.durable))
    }

    pub(super) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    pub(super) fn next_deadline(&self) -> Option<Tick> {
        self.flights.iter().map(|flight| flight.deadline).chain(self.paused_until).min()
    }
}
