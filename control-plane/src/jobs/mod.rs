//! Work that nobody waits for: asked for in the transaction of its cause, done afterwards by a worker that may be
//! killed at any point, tried again until it is done or given up. Knows no noun: handlers are listed in `domain`.

pub mod gauges;
pub mod housekeeping;
mod queue;
pub mod rules;
pub mod runner;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod types;
pub mod watch;

pub use runner::Runner;
pub use types::{Handler, Home, Job, JobError, State, Work};

use protocol::timestamp::Timestamp;
use uuid::Uuid;

use crate::app::App;
use crate::db::{DbError, SystemTx, TenantTx};

/// Asks for work of the transaction's tenant, in that transaction. Answers its id; none when a job of the same kind
/// and key waits or runs already.
///
/// # Errors
/// [`DbError::Refused`] for a payload of more than 16 KiB, or whatever the statement met.
pub async fn enqueue(tx: &mut TenantTx, job: Job) -> Result<Option<Uuid>, DbError> {
    queue::Hold::tenant(tx).insert(&job).await
}

/// Asks for work that belongs to no tenant. As [`enqueue`].
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_platform(tx: &mut SystemTx, job: Job) -> Result<Option<Uuid>, DbError> {
    queue::Hold::platform(tx).insert(&job).await
}

/// Ends a job in the transaction of its effect: both stay, or neither does. A handler calls it last; a worker that was
/// taken for gone and comes back late finds that the job is no longer its own, and its effect is rolled back.
///
/// # Errors
/// [`JobError::Lost`] when another worker has the job.
pub async fn finish(tx: &mut TenantTx, work: &Work, now: Timestamp) -> Result<(), JobError> {
    if queue::Hold::tenant(tx).done(work, now).await? { Ok(()) } else { Err(JobError::Lost) }
}

/// Does everything that is due now, one after the other: for tests and commands, where no worker runs.
///
/// # Errors
/// Whatever the database met.
pub async fn drain(app: &App) -> Result<usize, DbError> {
    Runner::new(app.clone(), crate::domain::handlers()).drain().await
}
