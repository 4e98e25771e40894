//! At the start: brings the index up to the fiscal log, and the floor up to the work log. Reads what was
//! written since the last carrying; everything only when the index was lost. Blocking.

use protocol::event::FiscalEvent;
use protocol::id::{Seq, Stream};
use protocol::ledger::Record;

use super::floor::{Floor, Follower};
use super::work::{Asked, TicketChangedV1, WorkEvent};
use crate::core::lane::Op;
use crate::ledger::{LedgerError, Logs};
use crate::store::answers::Kept;
use crate::store::finished::Finished;
use crate::store::index::Index;

/// What a start found.
#[derive(Debug)]
pub(super) struct Recovered {
    /// What is alive.
    pub(super) floor: Floor,
    /// Fiscal records that the index had not seen.
    pub(super) fiscal: u64,
    /// Work records read.
    pub(super) work: u64,
    /// Where the last carrying begins, or the log.
    pub(super) mark: Seq,
}

/// Brings index and floor up to the logs.
///
/// # Errors
/// The logs cannot be read.
pub(super) fn recover(logs: &Logs, index: &Index) -> Result<Recovered, LedgerError> {
    let fiscal = follow_fiscal(logs, index)?;
    let head = logs.head(Stream::Work);
    let known = index.cursors.get(Stream::Work, logs.term()).ok().flatten();
    let mark = known.filter(|mark| *mark <= head.durable.next()).unwrap_or(head.first_kept).max(head.first_kept);
    let mut follower = Follower::default();
    let mut work = 0;
    logs.replay(Stream::Work, mark, &mut |record| {
        work += 1;
        if let Some(event) = readable(record) {
            if let WorkEvent::Ticket(changed) = &event {
                remember(index, changed);
            }
            follower.follow(&event);
        }
        Ok(())
    })?;
    let mut floor = follower.into_floor();
    // The sale is what the fiscal log says; the work log may have missed the end of it.
    floor.tickets.retain(|ticket, _| !matches!(index.ends.get(*ticket), Ok(Some(_))));
    Ok(Recovered { floor, fiscal, work, mark })
}

fn follow_fiscal(logs: &Logs, index: &Index) -> Result<u64, LedgerError> {
    let (term, head) = (logs.term(), logs.head(Stream::Fiscal));
    let mut known = index.cursors.get(Stream::Fiscal, term).ok().flatten();
    if known.is_some_and(|known| known > head.durable) {
        tracing::error!(index = ?known, log = %head.durable, "the index is ahead of the fiscal log; it is rebuilt");
        index.clear().map_err(LedgerError::reader)?;
        known = None;
    }
    let from = known.map_or(head.first_kept, Seq::next);
    let mut followed = 0;
    logs.replay(Stream::Fiscal, from, &mut |record| {
        followed += 1;
        match FiscalEvent::decode(&record.event) {
            Ok(Some(event)) => index.follow(term, record.seq, &event),
            Ok(None) => {}
            Err(error) => tracing::error!(seq = %record.seq, %error, "a fiscal record cannot be indexed"),
        }
        Ok(())
    })?;
    index.reached(Stream::Fiscal, term, head.durable);
    Ok(followed)
}

fn readable(record: &Record) -> Option<WorkEvent> {
    WorkEvent::decode(&record.event).unwrap_or_else(|error| {
        tracing::error!(seq = %record.seq, %error, "a work record cannot be read; it is passed over");
        None
    })
}

/// Puts the answer and the end that a change carries into the index.
pub(super) fn remember(index: &Index, changed: &TicketChangedV1) {
    if let Op::Void { at, .. } = &changed.op {
        index.finish(changed.ticket, *at, Finished::Voided);
    }
    let Some(Asked { lane, key, request_hash, status, reply }) = &changed.asked else { return };
    let kept = match reply {
        Some(body) => Kept::Reply { request_hash: *request_hash, status: *status, body: body.clone() },
        None => Kept::Shown { request_hash: *request_hash, ticket: changed.ticket },
    };
    index.keep(*lane, key, changed.at, &kept);
}
