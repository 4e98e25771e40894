//! One stream of one node at HQ: batches that wait for their commit, one at a time, live before backlog, and what
//! is known to be committed.

use std::collections::VecDeque;

use crate::frame::v1::{AckV1, BatchV1, NackV1};
use crate::frame::{Body, Frame};
use crate::id::Stream;
use crate::ledger::Record;
use crate::limits;
use crate::session::ack::{RangeError, RangeSet};

/// How long a node waits with records that HQ deferred, in milliseconds: others may close gaps meanwhile.
const DEFERRED_MS: u32 = 2_000;

#[derive(Debug)]
struct Job {
    first: u64,
    last: u64,
    prev: Option<[u8; 32]>,
    records: Vec<Record>,
}

/// Why a batch that came in is not queued.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The same batch already waits: the answer to that one answers this.
    Again,
    /// No room: it goes back.
    Full,
}

/// Records for the shell to commit.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) id: u64,
    pub(super) records: Vec<Record>,
    pub(super) prev: Option<[u8; 32]>,
}

/// The batch the shell has.
#[derive(Clone, Copy, Debug)]
struct Committing {
    id: u64,
    first: u64,
    last: u64,
    records: u64,
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) stream: Stream,
    known: RangeSet,
    live: VecDeque<Job>,
    backlog: VecDeque<Job>,
    committing: Option<Committing>,
}

impl Lane {
    pub(super) const fn new(stream: Stream, known: RangeSet) -> Self {
        Self { stream, known, live: VecDeque::new(), backlog: VecDeque::new(), committing: None }
    }

    pub(super) fn known(&self) -> Vec<(u64, u64)> {
        self.known.ranges().to_vec()
    }

    pub(super) fn waits(&self, batch: &BatchV1) -> Option<Taken> {
        let same = |first: u64, last: u64| first == batch.first && last == batch.last;
        let waiting = self.live.iter().chain(&self.backlog).any(|job| same(job.first, job.last));
        if waiting || self.committing.is_some_and(|job| same(job.first, job.last)) {
            return Some(Taken::Again);
        }
        (self.live.len() + self.backlog.len() >= limits::BATCHES_WAITING).then_some(Taken::Full)
    }

    pub(super) fn queue(&mut self, live: bool, batch: &BatchV1, records: Vec<Record>) {
        let job = Job { first: batch.first, last: batch.last, prev: batch.prev, records };
        if live { self.live.push_back(job) } else { self.backlog.push_back(job) }
    }

    /// The next batch to commit, if none is being committed.
    pub(super) fn hand_out(&mut self, id: u64) -> Option<Handed> {
        if self.committing.is_some() {
            return None;
        }
        let job = self.live.pop_front().or_else(|| self.backlog.pop_front())?;
        let records = u64::try_from(job.records.len()).unwrap_or(u64::MAX);
        self.committing = Some(Committing { id, first: job.first, last: job.last, records });
        Some(Handed { id, records: job.records, prev: job.prev })
    }

    pub(super) fn is_committing(&self, id: u64) -> bool {
        self.committing.is_some_and(|job| job.id == id)
    }

    /// The commit is done: the acknowledgement, and the batch back if only a part of it was taken.
    pub(super) fn committed(&mut self, acked: &RangeSet) -> Result<Vec<Frame>, RangeError> {
        let job = self.committing.take();
        self.known.extend(acked)?;
        let ack = Frame::control(Body::Ack(AckV1 {
            stream: self.stream as u8,
            ranges: acked.ranges().to_vec(),
            contiguous: self.known.contiguous().0,
            durable: true,
        }));
        let partly = job.filter(|job| self.known.count_within(job.first, job.last) < job.records);
        let back = partly.map(|job| nack(self.stream, job.first, job.last, DEFERRED_MS));
        Ok([ack].into_iter().chain(back).collect())
    }

    /// The commit failed: it and what waits behind it goes back.
    pub(super) fn failed(&mut self, retry_after_ms: u32) -> Vec<Frame> {
        let tried = self.committing.take().map(|job| (job.first, job.last));
        let waiting = self.live.drain(..).chain(self.backlog.drain(..)).map(|job| (job.first, job.last));
        let stream = self.stream;
        tried.into_iter().chain(waiting).map(|(first, last)| nack(stream, first, last, retry_after_ms)).collect()
    }

    pub(super) fn waiting(&self) -> usize {
        self.live.len() + self.backlog.len() + usize::from(self.committing.is_some())
    }
}

pub(super) const fn nack(stream: Stream, first: u64, last: u64, retry_after_ms: u32) -> Frame {
    Frame::control(Body::Nack(NackV1 { stream: stream as u8, first, last, retry_after_ms }))
}
