//! Writing the record, and reading it.

use protocol::timestamp::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::store;
use super::types::{Actor, Asked, Done, Entry};
use crate::db::{DbError, TenantTx};
use crate::http::{ApiError, ApiResult};
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

/// Reads the record, newest first, behind `after`.
///
/// # Errors
/// VALIDATION for what no entry can have; whatever the statement met.
pub async fn list(
    tx: &mut TenantTx,
    asked: &Asked,
    after: Option<(OffsetDateTime, Uuid)>,
    limit: i64,
) -> ApiResult<Vec<Done>> {
    for (field, text, longest) in [("action", &asked.action, 100), ("object", &asked.object, 200)] {
        if text.len() > longest || text.contains('\0') {
            return Err(ApiError::field(field, format!("{longest} characters at most")));
        }
    }
    Ok(store::list(tx, asked, after, limit).await?)
}
