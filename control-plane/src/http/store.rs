//! The SQL of idempotent writes.

use protocol::timestamp::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::clock::utc;
use crate::db::{DbError, TenantTx};

/// What was answered under a key.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Kept {
    pub(super) request_hash: Vec<u8>,
    pub(super) status: i16,
    pub(super) reply: Option<Value>,
    pub(super) etag: Option<String>,
}

/// Takes the key for this transaction. False when it was taken before; waits for one who is about to.
pub(super) async fn claim(
    tx: &mut TenantTx,
    principal: Uuid,
    key: &str,
    request: &[u8],
    now: Timestamp,
) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "INSERT INTO app.idempotency (tenant_id, principal, key, request_hash, status, created_at)
         VALUES ($1, $2, $3, $4, 0, $5) ON CONFLICT DO NOTHING",
    )
    .bind(tenant)
    .bind(principal)
    .bind(key)
    .bind(request)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What was answered.
pub(super) async fn reply(tx: &mut TenantTx, principal: Uuid, key: &str) -> Result<Option<Kept>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(
        "SELECT request_hash, status, reply, etag FROM app.idempotency
         WHERE tenant_id = $1 AND principal = $2 AND key = $3",
    )
    .bind(tenant)
    .bind(principal)
    .bind(key)
    .fetch_optional(tx.conn())
    .await?)
}

/// Writes the answer beside its effect.
pub(super) async fn keep(
    tx: &mut TenantTx,
    principal: Uuid,
    key: &str,
    (status, reply, etag): (u16, &Value, Option<&str>),
    now: Timestamp,
) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "UPDATE app.idempotency SET status = $4, reply = $5, etag = $6, created_at = $7
         WHERE tenant_id = $1 AND principal = $2 AND key = $3",
    )
    .bind(tenant)
    .bind(principal)
    .bind(key)
    .bind(i16::try_from(status).unwrap_or(200))
    .bind(reply)
    .bind(etag)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(())
}
