//! The SQL of the record.

use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::types::{Actor, Entry};
use crate::clock::utc;
use crate::db::{DbError, TenantTx};

pub(super) async fn insert(
    tx: &mut TenantTx,
    id: Uuid,
    actor: &Actor,
    entry: &Entry,
    now: Timestamp,
) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.audit (tenant_id, audit_id, at, actor, via, impersonation_id, action, object_kind, object_id, diff,
                                request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(tenant)
    .bind(id)
    .bind(utc(now))
    .bind(actor.person.map(|person| person.as_uuid()))
    .bind(actor.via)
    .bind(actor.impersonation)
    .bind(entry.action)
    .bind(entry.object_kind)
    .bind(&entry.object_id)
    .bind(&entry.diff)
    .bind(actor.request)
    .execute(tx.conn())
    .await?;
    Ok(())
}
