//! The SQL of keys.

use protocol::id::PersonId;
use protocol::timestamp::Timestamp;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::clock::utc;
use crate::db::{DbError, TenantTx};

/// A key as it is kept, without its hash.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct KeyRow {
    pub(super) key_id: Uuid,
    pub(super) person_id: Uuid,
    pub(super) name: String,
    pub(super) permissions: Value,
    pub(super) shops: Option<Value>,
    pub(super) made_at: OffsetDateTime,
    pub(super) expires_at: OffsetDateTime,
    pub(super) used_at: Option<OffsetDateTime>,
}

/// Keys that were not revoked, the newest first.
pub(super) async fn keys(
    tx: &mut TenantTx,
    one: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<KeyRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(
        "SELECT key_id, person_id, name, permissions, shops, made_at, expires_at, used_at FROM app.api_keys
         WHERE tenant_id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR key_id = $2)
           AND ($3::uuid IS NULL OR key_id < $3)
         ORDER BY key_id DESC LIMIT $4",
    )
    .bind(tenant)
    .bind(one)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?)
}

pub(super) async fn standing(tx: &mut TenantTx, now: Timestamp) -> Result<i64, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM app.api_keys WHERE tenant_id = $1 AND revoked_at IS NULL AND expires_at > $2",
    )
    .bind(tenant)
    .bind(utc(now))
    .fetch_one(tx.conn())
    .await?)
}

pub(super) async fn insert(tx: &mut TenantTx, row: &KeyRow, hash: &[u8; 32]) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.api_keys (tenant_id, key_id, person_id, name, key_hash, permissions, shops, made_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(tenant)
    .bind(row.key_id)
    .bind(row.person_id)
    .bind(&row.name)
    .bind(hash)
    .bind(&row.permissions)
    .bind(&row.shops)
    .bind(row.made_at)
    .bind(row.expires_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Revokes one key, or all of a person; answers how many.
pub(super) async fn revoke(
    tx: &mut TenantTx,
    one: Option<Uuid>,
    person: Option<PersonId>,
    now: Timestamp,
) -> Result<u64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.api_keys SET revoked_at = $4
         WHERE tenant_id = $1 AND revoked_at IS NULL AND (key_id = $2 OR person_id = $3)",
    )
    .bind(tenant)
    .bind(one)
    .bind(person.map(|person| person.as_uuid()))
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Which of these shops there are.
pub(super) async fn shops(tx: &mut TenantTx, ids: &[Uuid]) -> Result<i64, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_scalar(
        "SELECT count(DISTINCT shop_id) FROM app.shops WHERE tenant_id = $1 AND shop_id = ANY($2) AND deleted_at IS NULL",
    )
    .bind(tenant)
    .bind(ids)
    .fetch_one(tx.conn())
    .await?)
}
