//! Writing the record, and reading it.

use protocol::timestamp::Timestamp;

use super::store;
use super::types::{Actor, Entry};
use crate::db::{DbError, TenantTx};
use crate::rng;

/// Writes down what was done, in the transaction that does it: without the record there is no effect.
///
/// # Errors
/// Whatever the statement met.
pub async fn record(tx: &mut TenantTx, actor: impl Into<Actor>, entry: &Entry, now: Timestamp) -> Result<(), DbError> {
    let actor = actor.into();
    store::insert(tx, rng::id(now), &actor, entry, now).await?;
    let (tenant, action, object) = (tx.tenant(), entry.action, &entry.object_id);
    tracing::info!(target: "audit", %tenant, action, kind = entry.object_kind, object, via = actor.via, "done");
    Ok(())
}
