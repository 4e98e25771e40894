//! The truth on both sides, as plain as it can be: a log whose records follow from their seq, and an HQ that counts
//! how often each record took effect.

use std::collections::{BTreeMap, BTreeSet};

use super::faults::Bug;
use crate::event::RawEvent;
use crate::id::{Seq, Stream};
use crate::ledger::Record;
use crate::session::ack::RangeSet;
use crate::session::edge::LogHead;

/// Something that must never be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// A log of one stream. It survives restarts of its node.
#[derive(Clone, Debug)]
pub struct ModelLog {
    stream: Stream,
    head: LogHead,
    damaged: BTreeSet<u64>,
}

impl ModelLog {
    /// A log that already holds some records.
    pub const fn new(stream: Stream, durable: u64) -> Self {
        Self { stream, head: LogHead { first_kept: 1, durable }, damaged: BTreeSet::new() }
    }

    /// Where it stands.
    pub const fn head(&self) -> LogHead {
        self.head
    }

    /// Which log.
    pub const fn stream(&self) -> Stream {
        self.stream
    }

    /// Writes one more record; a damaged one is counted but cannot be read.
    pub fn append(&mut self, damaged: bool) -> Seq {
        self.head.durable += 1;
        if damaged {
            self.damaged.insert(self.head.durable);
        }
        Seq(self.head.durable)
    }

    /// The record that stands (or stood) at a seq.
    pub fn record(&self, seq: u64) -> Record {
        let length = usize::try_from(seq % 61).unwrap_or(0);
        let mut body = seq.to_be_bytes().to_vec();
        body.resize(8 + length, self.stream as u8);
        Record { seq: Seq(seq), event: RawEvent { kind: 1, version: 1, body } }
    }

    /// Reads as the real log does: up to `max` records from a seq on, beyond a hole if there is one.
    pub fn read(&self, from: Seq, max: usize) -> Vec<Record> {
        let start = from.0.max(self.head.first_kept);
        let there = (start..=self.head.durable).filter(|seq| !self.damaged.contains(seq));
        there.take(max).map(|seq| self.record(seq)).collect()
    }

    /// Forgets everything up to the mark, as retirement does.
    ///
    /// # Errors
    /// A [`Violation`] if a record goes that HQ has not applied.
    pub fn retire(&mut self, upto: Seq, hq: &ModelHq) -> Result<(), Violation> {
        let going = self.head.first_kept..=upto.0;
        if let Some(lost) =
            going.into_iter().find(|seq| !self.damaged.contains(seq) && hq.applied(self.stream, *seq) == 0)
        {
            return Err(Violation(format!("record {lost} is retired but HQ never applied it")));
        }
        self.head.first_kept = self.head.first_kept.max(upto.0 + 1);
        Ok(())
    }

    /// Whether HQ holds every record exactly once, and none that is not there.
    ///
    /// # Errors
    /// A [`Violation`] naming the first record that is missing, doubled or made up.
    pub fn compare(&self, hq: &ModelHq) -> Result<(), Violation> {
        for seq in 1..=self.head.durable {
            let times = hq.applied(self.stream, seq);
            let expected = u32::from(!self.damaged.contains(&seq));
            if times != expected {
                return Err(Violation(format!("record {seq} took effect {times} times instead of {expected}")));
            }
        }
        let beyond = hq.effects.range((self.stream, self.head.durable + 1)..=(self.stream, u64::MAX)).next();
        beyond.map_or(Ok(()), |(at, _)| Err(Violation(format!("HQ has a record that was never written: {at:?}"))))
    }
}

/// HQ's database. It survives restarts of the gateway.
#[derive(Clone, Debug, Default)]
pub struct ModelHq {
    effects: BTreeMap<(Stream, u64), u32>,
    cursors: BTreeMap<Stream, RangeSet>,
    /// Records that came again and were left out.
    pub resent: u64,
}

impl ModelHq {
    /// What the cursor of a stream holds.
    pub fn cursor(&self, stream: Stream) -> RangeSet {
        self.cursors.get(&stream).cloned().unwrap_or_default()
    }

    /// How often a record took effect.
    pub fn applied(&self, stream: Stream, seq: u64) -> u32 {
        self.effects.get(&(stream, seq)).copied().unwrap_or(0)
    }

    /// How many records took effect.
    pub fn count(&self) -> usize {
        self.effects.len()
    }

    /// One transaction: applies what the cursor does not hold. Returns what is to be acknowledged.
    ///
    /// # Errors
    /// A [`Violation`] if a record is not what the log wrote.
    pub fn commit(&mut self, log: &ModelLog, records: &[Record], bug: Option<Bug>) -> Result<RangeSet, Violation> {
        let (mut acked, stream) = (RangeSet::new(), log.stream());
        for record in records {
            if *record != log.record(record.seq.0) || record.seq.0 > log.head().durable {
                return Err(Violation(format!("HQ was given a record that nobody wrote: {record:?}")));
            }
            let cursor = self.cursors.entry(stream).or_default();
            if cursor.contains(record.seq) && bug != Some(Bug::NoDedupe) {
                self.resent += 1;
            } else {
                *self.effects.entry((stream, record.seq.0)).or_default() += 1;
            }
            if bug != Some(Bug::ForgetsCursor) || record.seq.0 % 5 != 0 {
                cursor.insert(record.seq, record.seq).map_err(|error| Violation(format!("cursor: {error}")))?;
            }
            acked.insert(record.seq, record.seq).map_err(|error| Violation(format!("ack: {error}")))?;
        }
        Ok(Self::one_too_many(acked, bug))
    }

    pub(super) fn one_too_many(mut acked: RangeSet, bug: Option<Bug>) -> RangeSet {
        if bug == Some(Bug::AckOneTooMany) {
            let next = acked.max().next();
            acked.insert(next, next).ok();
        }
        acked
    }
}
