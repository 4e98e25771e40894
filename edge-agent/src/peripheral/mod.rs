//! The shell around what stands beside the node: printing. One actor owns the queue (`clerk`), one task per printer
//! drives it (`supervisor`), the bytes go over `transport`, the words of the device are in `printer`. Knows nothing of
//! HTTP, of how a receipt looks, or of lanes beyond their names.

mod clerk;
mod copies;
mod printer;
mod recover;
mod supervisor;
#[cfg(test)]
mod tests;
mod transport;
mod work;

use std::sync::Arc;

use firmware_config::peripheral::Printer;
use protocol::id::Term;
use protocol::ledger::Record;
use protocol::limits;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::core::change::Change;
use crate::desk::Desk;
use crate::device::Devices;
use crate::ledger::{LedgerError, Logs};
use crate::spool::Spool;
use crate::store::index::Index;
use clerk::Clerk;

/// One thing to lay out: a record of the fiscal log for a printer.
#[derive(Clone, Copy, Debug)]
pub struct Sheet<'a> {
    /// The printer and its paper.
    pub printer: &'a Printer,
    /// The term of the record.
    pub term: Term,
    /// The record.
    pub record: &'a Record,
    /// What people call the lane that closed the ticket.
    pub lane: &'a str,
    /// Whether it says COPY.
    pub copy: bool,
}

/// Turns a record into the bytes of a printer; `Err` says why it cannot. Pure and quick; called where it may block.
pub type Render = Arc<dyn Fn(&Sheet<'_>) -> Result<Vec<u8>, String> + Send + Sync>;

/// What printing works with.
pub struct Parts {
    /// The printers, in the order of the configuration.
    pub printers: Vec<Printer>,
    /// The logs.
    pub logs: Logs,
    /// Where answers to repeated requests are kept.
    pub index: Arc<Index>,
    /// The time.
    pub clock: Clock,
    /// Where changes are told.
    pub changes: broadcast::Sender<Change>,
    /// Where the state of each printer is told.
    pub devices: Devices,
    /// Who knows the names of the lanes.
    pub desk: Desk,
    /// What lays receipts out.
    pub render: Render,
    /// Turns true when the node stops.
    pub stopping: watch::Receiver<bool>,
}

/// The running print shell.
#[derive(Debug)]
pub struct Running {
    /// Where to ask.
    pub spool: Spool,
    /// Ends once nothing is on its way to a printer.
    pub task: JoinHandle<()>,
}

/// Restores the queue from the logs and starts to print.
///
/// # Errors
/// The logs cannot be read, or the first mark of a node that has never printed cannot be written.
pub async fn start(parts: Parts) -> Result<Running, LedgerError> {
    let (logs, index, now) = (parts.logs.clone(), Arc::clone(&parts.index), parts.clock.now());
    let names: Vec<String> = parts.printers.iter().map(|printer| printer.name.clone()).collect();
    let restored = tokio::task::spawn_blocking(move || recover::recover(&logs, &index, names, now))
        .await
        .map_err(LedgerError::reader)??;
    let (spool, asks) = Spool::new(limits::PRINT_ASKS);
    let mut clerk = Clerk::new(parts, restored);
    clerk.carry().await?;
    Ok(Running { spool, task: tokio::spawn(clerk.run(asks)) })
}
