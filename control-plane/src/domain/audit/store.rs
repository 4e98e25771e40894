//! The SQL of the record.

use protocol::timestamp::Timestamp;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::types::{Actor, Asked, Done, Entry};
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

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    at: OffsetDateTime,
    actor: Option<Uuid>,
    via: String,
    impersonation_id: Option<Uuid>,
    action: String,
    object_kind: String,
    object_id: String,
    diff: Value,
    request_id: Option<Uuid>,
}

impl From<Row> for Done {
    fn from(row: Row) -> Self {
        let Row { id, at, actor, via, impersonation_id, action, object_kind, object_id, diff, request_id } = row;
        Self { id, at, actor, via, impersonation_id, action, object_kind, object_id, diff, request_id }
    }
}

/// Entries, newest first, behind `after`.
pub(super) async fn list(
    tx: &mut TenantTx,
    asked: &Asked,
    after: Option<(OffsetDateTime, Uuid)>,
    limit: i64,
) -> Result<Vec<Done>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let (at, id) = after.unzip();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT audit_id AS id, at, actor, via, impersonation_id, action, object_kind, object_id, diff, request_id
         FROM app.audit
         WHERE tenant_id = $1 AND starts_with(action, $2) AND ($3::uuid IS NULL OR actor = $3)
             AND ($4 = '' OR object_id = $4) AND ($5::timestamptz IS NULL OR (at, audit_id) < ($5, $6))
         ORDER BY at DESC, audit_id DESC LIMIT $7",
    )
    .bind(tenant)
    .bind(&asked.action)
    .bind(asked.actor)
    .bind(&asked.object)
    .bind(at)
    .bind(id)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Done::from).collect())
}
