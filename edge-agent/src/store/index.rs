//! All trees together: the index over the logs that answers a lane's questions without reading history. It can
//! be thrown away and rebuilt; so a write that fails here never fails a sale, it only marks the index stale.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use protocol::event::FiscalEvent;
use protocol::id::{LaneId, Seq, Stream, Term, TicketId};
use protocol::limits;
use protocol::timestamp::Timestamp;

use super::ages::{Ages, Of};
use super::answers::{Answers, Kept};
use super::cursors::Cursors;
use super::finished::{Ends, Finished};
use super::returned::{By, Returned};
use crate::core::lane::returns::returned_lines;

/// The index.
#[derive(Debug)]
pub struct Index {
    db: sled::Db,
    /// Answers by idempotency key.
    pub answers: Answers,
    /// How tickets ended.
    pub ends: Ends,
    /// What came back of receipts.
    pub returned: Returned,
    /// How far the logs were followed.
    pub cursors: Cursors,
    ages: Ages,
    aged: AtomicUsize,
    stale: AtomicBool,
}

impl Index {
    /// Opens the trees of a store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(db: &sled::Db) -> sled::Result<Self> {
        let ages = Ages::open(db)?;
        Ok(Self {
            answers: Answers::open(db)?,
            ends: Ends::open(db)?,
            returned: Returned::open(db)?,
            cursors: Cursors::open(db)?,
            aged: AtomicUsize::new(ages.len()),
            ages,
            stale: AtomicBool::new(false),
            db: db.clone(),
        })
    }

    /// Keeps an answer under its key.
    pub fn keep(&self, lane: LaneId, key: &str, at: Timestamp, kept: &Kept) {
        let bytes = Answers::key(lane, key);
        self.note(self.answers.put(&bytes, kept).and_then(|new| self.age(new, at, Of::Answer, &bytes)));
    }

    /// Notes how a ticket ended.
    pub fn finish(&self, ticket: TicketId, at: Timestamp, end: Finished) {
        let new = self.ends.put(ticket, end);
        self.note(new.and_then(|new| self.age(new, at, Of::End, &Ends::key(ticket))));
    }

    /// Follows one fiscal record; doing so twice changes nothing. One that no lane asks for any more (`asked_for`
    /// is false) leaves no answer, only what came back by it.
    pub fn follow(&self, term: Term, seq: Seq, event: &FiscalEvent, asked_for: bool) {
        let ((lane, key, _), at) = (event.asked(), event.occurred().recorded_at);
        if asked_for {
            self.keep(lane, key, at, &Kept::Fiscal { term, seq });
        }
        if let FiscalEvent::TicketVoided(voided) = event
            && asked_for
        {
            self.finish(voided.ticket, at, Finished::Voided);
        }
        if let FiscalEvent::TicketClosed(closed) = event {
            if asked_for {
                self.finish(closed.ticket, at, Finished::Closed { term, seq });
            }
            let lines = returned_lines(&closed.terms, &closed.lines, &closed.totals);
            for (index, (sold, line)) in (0..).zip(lines) {
                self.note(self.returned.put(sold, By { term, seq, index }, &line));
            }
        }
    }

    /// Moves a cursor, unless something before it failed to be written.
    pub fn reached(&self, stream: Stream, term: Term, seq: Seq) {
        if !self.stale.load(Ordering::Relaxed) {
            self.note(self.cursors.set(stream, term, seq));
        }
    }

    /// Whether a write failed: the cursors stand still and the next start catches up from there.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    /// Drops what is older than a lane may ask for, and the oldest beyond the limit; at most `most` entries.
    /// Answers how many went.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn prune(&self, now: Timestamp, most: usize) -> sled::Result<usize> {
        let mut gone = 0;
        for aged in self.ages.oldest().take(most) {
            let aged = aged?;
            let old = now.millis_since(aged.at) > limits::IDEMPOTENCY_MILLIS;
            if !old && self.aged.load(Ordering::Relaxed) <= limits::IDEMPOTENCY_ANSWERS {
                break;
            }
            match aged.of {
                Of::Answer => self.answers.remove(&aged.key)?,
                Of::End => self.ends.remove(&aged.key)?,
            }
            self.ages.remove(&aged)?;
            self.aged.fetch_sub(1, Ordering::Relaxed);
            gone += 1;
        }
        Ok(gone)
    }

    /// Empties the trees, to be rebuilt from the logs.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn clear(&self) -> sled::Result<()> {
        self.cursors.clear()?;
        self.answers.clear()?;
        self.ends.clear()?;
        self.returned.clear()?;
        self.ages.clear()?;
        self.aged.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Hands what is in memory to the system.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn flush(&self) -> sled::Result<()> {
        self.db.flush().map(drop)
    }

    fn age(&self, new: bool, at: Timestamp, of: Of, key: &[u8]) -> sled::Result<()> {
        if new {
            self.ages.put(at, of, key)?;
            self.aged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn note(&self, result: sled::Result<()>) {
        if let Err(error) = result
            && !self.stale.swap(true, Ordering::Relaxed)
        {
            tracing::error!(%error, "the index cannot be written; sales go on, the next start rebuilds what is missing");
            metrics::counter!("tillway_index_write_failures_total").increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> (tempfile::TempDir, Index) {
        let dir = tempfile::tempdir().unwrap();
        let db = sled::Config::new().path(dir.path().join("index")).open().unwrap();
        let index = Index::open(&db).unwrap();
        (dir, index)
    }

    fn lane() -> LaneId {
        LaneId::from_uuid(uuid::Uuid::from_u128(7))
    }

    #[test]
    fn an_answer_is_kept_for_seven_days_and_then_dropped() {
        let (_dir, index) = index();
        let kept = Kept::Reply { request_hash: [1; 32], status: 201, body: b"{}".to_vec() };
        index.keep(lane(), "a", Timestamp(1_000), &kept);
        index.keep(lane(), "b", Timestamp(2_000), &kept);
        assert_eq!(index.prune(Timestamp(1_000 + limits::IDEMPOTENCY_MILLIS), 10).unwrap(), 0);
        assert_eq!(index.prune(Timestamp(1_001 + limits::IDEMPOTENCY_MILLIS), 10).unwrap(), 1);
        assert_eq!(index.answers.get(lane(), "a").unwrap(), None);
        assert_eq!(index.answers.get(lane(), "b").unwrap(), Some(kept));
    }

    #[test]
    fn cursors_are_kept_per_stream_and_term() {
        let (_dir, index) = index();
        index.reached(Stream::Fiscal, Term(1), Seq(9));
        assert_eq!(index.cursors.get(Stream::Fiscal, Term(1)).unwrap(), Some(Seq(9)));
        assert_eq!(index.cursors.get(Stream::Fiscal, Term(2)).unwrap(), None);
        assert_eq!(index.cursors.get(Stream::Work, Term(1)).unwrap(), None);
        index.clear().unwrap();
        assert_eq!(index.cursors.get(Stream::Fiscal, Term(1)).unwrap(), None);
    }
}
