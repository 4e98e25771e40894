//! The lane shell: one actor that owns the open tickets of the node, asks `core::lane` what may happen, writes
//! it down and answers. Knows nothing of HTTP. A lane that waits for the disk holds up no other lane.

mod actor;
mod carry;
mod fiscal;
mod floor;
mod pair;
mod recover;
mod staff;
#[cfg(test)]
mod tests;
mod work;
mod writes;

use std::sync::Arc;

use protocol::limits;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::core::change::Change;
use crate::desk::{Desk, Roster};
use crate::ledger::{LedgerError, Logs};
use crate::snapshot::Snapshots;
use crate::store::index::Index;
use actor::Actor;

/// What the lane shell works with.
pub struct Parts {
    /// The logs.
    pub logs: Logs,
    /// The index over them.
    pub index: Arc<Index>,
    /// Catalogue and settings in force.
    pub snapshots: Snapshots,
    /// The time.
    pub clock: Clock,
    /// Where changes are told.
    pub changes: broadcast::Sender<Change>,
    /// Turns true when the node stops.
    pub stopping: watch::Receiver<bool>,
}

/// The running lane shell.
pub struct Running {
    /// Where to ask.
    pub desk: Desk,
    /// Whose token is whose.
    pub roster: Roster,
    /// Fiscal records that the index had to catch up with at the start.
    pub caught_up: u64,
    /// Ends after the last write is answered.
    pub task: JoinHandle<()>,
}

/// Catches up with the logs and takes the lanes' asks.
///
/// # Errors
/// The logs cannot be read.
pub async fn start(parts: Parts) -> Result<Running, LedgerError> {
    let (logs, index, now) = (parts.logs.clone(), Arc::clone(&parts.index), parts.clock.now());
    let recovered = tokio::task::spawn_blocking(move || recover::recover(&logs, &index, now))
        .await
        .map_err(LedgerError::reader)??;
    tracing::info!(
        open_tickets = recovered.floor.tickets.len(),
        fiscal_records = recovered.fiscal,
        work_records = recovered.work,
        closed_unseen = recovered.closed_unseen,
        "the lanes' state is up to the logs"
    );
    let (desk, asks) = Desk::new(limits::DESK_ASKS);
    let roster = Roster::default();
    let caught_up = recovered.fiscal;
    let actor = Actor::new(parts, recovered, roster.clone());
    let task = tokio::spawn(actor.run(asks));
    Ok(Running { desk, roster, caught_up, task })
}
