//! At the start: brings the index up to the fiscal log, and the floor up to the work log. Reads what was
//! written since the last carrying; everything only when the index was lost. Blocking.

use protocol::event::FiscalEvent;
use protocol::id::{Seq, Stream};
use protocol::ledger::Record;
use protocol::limits;
use protocol::timestamp::Timestamp;

use super::floor::{Floor, Follower};
use super::work::{Asked, TicketChangedV1, WorkEvent};
use crate::core::lane::Op;
use crate::ledger::{LedgerError, Logs};
use crate::store::answers::Kept;
use crate::store::finished::Finished;
use crate::store::index::Index;

/// Sales whose answers and ends the index keeps ready: each has one of both. An index that is made anew need not take
/// in, and drop again, those of the months before.
const READY_SALES: u64 = limits::IDEMPOTENCY_ANSWERS as u64 / 2;

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
    /// Tickets that the work log takes for open and the fiscal log for closed.
    pub(super) closed_unseen: usize,
}

/// Brings index and floor up to the logs. The work log first: a sale is what the fiscal log says, and the work
/// log may have missed the end of a ticket.
///
/// # Errors
/// The logs cannot be read.
pub(super) fn recover(logs: &Logs, index: &Index, now: Timestamp) -> Result<Recovered, LedgerError> {
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
    let open = floor.tickets.len();
    let fiscal = follow_fiscal(logs, index, &mut floor, now)?;
    floor.tickets.retain(|ticket, _| !matches!(index.ends.get(*ticket), Ok(Some(_))));
    let closed_unseen = open - floor.tickets.len();
    Ok(Recovered { floor, fiscal, work, mark, closed_unseen })
}

fn follow_fiscal(logs: &Logs, index: &Index, floor: &mut Floor, now: Timestamp) -> Result<u64, LedgerError> {
    let (term, head) = (logs.term(), logs.head(Stream::Fiscal));
    let mut known = index.cursors.get(Stream::Fiscal, term).ok().flatten();
    if known.is_some_and(|known| known > head.durable) {
        tracing::error!(
            index = known.map(|seq| seq.0),
            log = head.durable.0,
            "the index knows of sales that the fiscal log does not hold: was an old copy of the disk restored? \
             The index is rebuilt"
        );
        index.clear().map_err(LedgerError::reader)?;
        known = None;
    }
    let from = known.map_or(head.first_kept, Seq::next);
    let mut followed = 0;
    logs.replay(Stream::Fiscal, from, &mut |record| {
        followed += 1;
        match FiscalEvent::decode(&record.event) {
            Ok(Some(event)) => {
                match &event {
                    FiscalEvent::TicketClosed(closed) => floor.forget(closed.ticket),
                    FiscalEvent::TicketVoided(voided) => floor.forget(voided.ticket),
                    FiscalEvent::StockWrittenOff(_) | FiscalEvent::NoSale(_) => {}
                }
                let recent = head.durable.0.saturating_sub(record.seq.0) < READY_SALES;
                index.follow(term, record.seq, &event, recent && is_asked_for(&event, now));
            }
            Ok(None) => {}
            Err(error) => tracing::error!(seq = record.seq.0, %error, "a fiscal record cannot be indexed"),
        }
        Ok(())
    })?;
    index.reached(Stream::Fiscal, term, head.durable);
    Ok(followed)
}

/// Whether a lane may still repeat the request that a record answers.
fn is_asked_for(event: &FiscalEvent, now: Timestamp) -> bool {
    now.millis_since(event.occurred().recorded_at) <= limits::IDEMPOTENCY_MILLIS
}

fn readable(record: &Record) -> Option<WorkEvent> {
    WorkEvent::decode(&record.event).unwrap_or_else(|error| {
        tracing::error!(seq = record.seq.0, %error, "a work record cannot be read; it is passed over");
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
