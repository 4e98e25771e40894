//! At the start: the queue as the work log tells it. Reads back to the last carrying, which is never far. Blocking.

use protocol::id::{Seq, Stream};
use protocol::limits;
use protocol::timestamp::Timestamp;

use super::copies;
use super::work::PrintEvent;
use crate::core::print_queue::{PrintQueue, Recovery};
use crate::ledger::{LedgerError, Logs};
use crate::store::index::Index;

/// Work records that are looked back over for the last carrying. One is written at least every
/// [`limits::WORK_CARRY_EVENTS`]; if there is none so near, all are read.
const LOOK_BACK: u64 = 3 * limits::WORK_CARRY_EVENTS;

/// What a start found.
pub(super) struct Restored {
    pub(super) queue: PrintQueue,
    /// Up to here the fiscal log was looked through for receipts to print.
    pub(super) followed: Seq,
}

/// Restores the queue. On a node that has never printed nothing that was sold before is printed.
///
/// # Errors
/// The work log cannot be read.
pub(super) fn recover(
    logs: &Logs,
    index: &Index,
    printers: Vec<String>,
    now: Timestamp,
) -> Result<Restored, LedgerError> {
    let head = logs.head(Stream::Work);
    let near = Seq(head.durable.0.saturating_sub(LOOK_BACK)).max(head.first_kept);
    let mut found = read(logs, near)?;
    if !found.1 && near > head.first_kept {
        found = read(logs, head.first_kept)?;
    }
    let (recovery, _) = found;
    for copy in recovery.copies() {
        copies::remember(index, copy);
    }
    let (queue, followed) = recovery.into_queue(printers, now);
    let sold = logs.head(Stream::Fiscal).durable;
    let oldest = Seq(sold.0.saturating_sub(limits::PRINT_CATCH_UP));
    // An old copy of the disk may know of fewer sales than were printed; what is sold from here on is new.
    let followed = followed.map_or(sold, |followed| followed.clamp(oldest, sold));
    Ok(Restored { queue, followed })
}

/// What the work log says from a record on, and whether a carrying was among it.
fn read(logs: &Logs, from: Seq) -> Result<(Recovery, bool), LedgerError> {
    let (mut recovery, mut carried) = (Recovery::default(), false);
    logs.replay(Stream::Work, from, &mut |record| {
        match PrintEvent::decode(&record.event) {
            Ok(Some(PrintEvent::Fact(fact))) => recovery.fact(fact),
            Ok(Some(PrintEvent::Asked(job))) => recovery.asked(*job),
            Ok(Some(PrintEvent::Carried(everything))) => {
                carried = true;
                recovery.carried(everything);
            }
            Ok(None) => {}
            Err(error) => tracing::error!(seq = record.seq.0, %error, "a print record cannot be read; passed over"),
        }
        Ok(())
    })?;
    Ok((recovery, carried))
}
