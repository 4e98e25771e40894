//! What an operator sees and does: jobs by state, kind and tenant; try again, call off. What a job is about is never
//! shown: the platform cannot even read it.

use protocol::id::TenantId;
use protocol::timestamp::Timestamp;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::queue::{self, Hold};
use super::types::State;
use crate::db::{DbError, SystemTx, TenantTx};

/// Which jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this state.
    pub state: Option<State>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// Made before this one: the cursor.
    pub before: Option<Uuid>,
    /// Most rows.
    pub limit: u32,
}

/// A job as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JobSeen)]
pub struct Seen {
    /// Its id.
    pub id: Uuid,
    /// Whose; none for the platform's own.
    pub tenant_id: Option<Uuid>,
    /// Which handler.
    pub kind: String,
    /// How it stands.
    pub state: State,
    /// Waiting: not before this. Running: taken over by another worker after this.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub due_at: OffsetDateTime,
    /// Tries so far.
    pub attempts: i16,
    /// Tries it may have.
    pub max_attempts: i16,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub made_at: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<OffsetDateTime>,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// Jobs, newest first, and the cursor of the next page.
///
/// # Errors
/// Whatever the statement met.
pub async fn list(tx: &mut SystemTx, filter: &Filter) -> Result<(Vec<Seen>, Option<Uuid>), DbError> {
    let mut jobs = queue::list(tx, filter).await?;
    let most = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let more = jobs.len() > most;
    jobs.truncate(most);
    let next = jobs.last().map(|last| last.id).filter(|_| more);
    Ok((jobs, next))
}

/// How many jobs stand how: (kind, state, how many), of those that wait, run or are dead.
///
/// # Errors
/// Whatever the statement met.
pub async fn census(tx: &mut SystemTx) -> Result<Vec<(String, State, i64)>, DbError> {
    queue::census(tx).await
}

/// Lets a dead or cancelled job of the transaction's tenant be tried again, from the first try. False if there is none.
///
/// # Errors
/// [`DbError::Taken`] when another one of its key waits or runs, or whatever the statement met.
pub async fn retry(tx: &mut TenantTx, job: Uuid, now: Timestamp) -> Result<bool, DbError> {
    Hold::tenant(tx).retry(job, now).await
}

/// As [`retry`], of a job that belongs to no tenant.
///
/// # Errors
/// As [`retry`].
pub async fn retry_platform(tx: &mut SystemTx, job: Uuid, now: Timestamp) -> Result<bool, DbError> {
    Hold::platform(tx).retry(job, now).await
}

/// Calls off a job of the transaction's tenant that waits. False if there is none: one that runs is let run.
///
/// # Errors
/// Whatever the statement met.
pub async fn cancel(tx: &mut TenantTx, job: Uuid, now: Timestamp) -> Result<bool, DbError> {
    Hold::tenant(tx).cancel(job, now).await
}

/// As [`cancel`], of a job that belongs to no tenant.
///
/// # Errors
/// As [`cancel`].
pub async fn cancel_platform(tx: &mut SystemTx, job: Uuid, now: Timestamp) -> Result<bool, DbError> {
    Hold::platform(tx).cancel(job, now).await
}

/// Done jobs stay for a week, to be looked at; dead ones for a quarter of a year, to be tried again.
const DONE_MILLIS: i64 = 7 * 24 * 3_600 * 1_000;
const DEAD_MILLIS: i64 = 90 * 24 * 3_600 * 1_000;

/// Removes jobs of the transaction's tenant whose time is over.
///
/// # Errors
/// Whatever the statement met.
pub async fn prune(tx: &mut TenantTx, now: Timestamp) -> Result<u64, DbError> {
    Hold::tenant(tx).prune(now.plus_millis(-DONE_MILLIS), now.plus_millis(-DEAD_MILLIS)).await
}

/// As [`prune`], of jobs that belong to no tenant.
///
/// # Errors
/// Whatever the statement met.
pub async fn prune_platform(tx: &mut SystemTx, now: Timestamp) -> Result<u64, DbError> {
    Hold::platform(tx).prune(now.plus_millis(-DONE_MILLIS), now.plus_millis(-DEAD_MILLIS)).await
}
