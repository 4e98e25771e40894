//! The SQL of operators: visits, switches, the registry, and what the platform's own record says about a company.

use protocol::timestamp::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::types::{Deed, NewVisit};
use crate::clock::utc;
use crate::db::{DbError, TenantTx};

/// A visit on record.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Row {
    pub(super) impersonation_id: Uuid,
    pub(super) operator: Uuid,
    pub(super) operator_email: String,
    pub(super) reason: String,
    pub(super) writes: bool,
    pub(super) minutes: i16,
    pub(super) asked_at: OffsetDateTime,
    pub(super) ask_ends_at: OffsetDateTime,
    pub(super) allowed: Option<bool>,
    pub(super) ends_at: Option<OffsetDateTime>,
    pub(super) ended_at: Option<OffsetDateTime>,
}

/// Writes down that visits which the clock ended have ended, so that another may be asked for.
pub(super) async fn tidy_visits(tx: &mut TenantTx, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "UPDATE app.impersonations SET ended_at = coalesce(ends_at, ask_ends_at)
         WHERE tenant_id = $1 AND ended_at IS NULL
           AND ((allowed IS NULL AND ask_ends_at <= $2) OR (allowed AND ends_at <= $2))",
    )
    .bind(tenant)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One more ask; the index takes one open visit of a tenant at most.
pub(super) async fn ask(
    tx: &mut TenantTx,
    id: Uuid,
    (operator, email): (Uuid, &str),
    new: &NewVisit,
    (now, ends): (Timestamp, Timestamp),
) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.impersonations (tenant_id, impersonation_id, operator, operator_email, reason, writes, minutes,
             asked_at, ask_ends_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(tenant)
    .bind(id)
    .bind(operator)
    .bind(email)
    .bind(&new.reason)
    .bind(new.writes)
    .bind(new.minutes)
    .bind(utc(now))
    .bind(utc(ends))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn visit(tx: &mut TenantTx, id: Uuid) -> Result<Option<Row>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(
        "SELECT impersonation_id, operator, operator_email, reason, writes, minutes, asked_at, ask_ends_at, allowed, ends_at,
                ended_at
         FROM app.impersonations WHERE tenant_id = $1 AND impersonation_id = $2 FOR UPDATE",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?)
}

/// Visits, newest first.
pub(super) async fn visits(tx: &mut TenantTx, limit: i64) -> Result<Vec<Row>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(
        "SELECT impersonation_id, operator, operator_email, reason, writes, minutes, asked_at, ask_ends_at, allowed, ends_at,
                ended_at
         FROM app.impersonations WHERE tenant_id = $1 ORDER BY asked_at DESC, impersonation_id DESC LIMIT $2",
    )
    .bind(tenant)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?)
}

/// The company's answer.
pub(super) async fn answer(
    tx: &mut TenantTx,
    id: Uuid,
    by: Uuid,
    ends: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "UPDATE app.impersonations SET allowed = $3, answered_by = $4, answered_at = $5, ends_at = $6,
                ended_at = CASE WHEN $3 THEN NULL ELSE $5 END, ended_by = CASE WHEN $3 THEN NULL ELSE $4 END
         WHERE tenant_id = $1 AND impersonation_id = $2 AND allowed IS NULL AND ended_at IS NULL",
    )
    .bind(tenant)
    .bind(id)
    .bind(ends.is_some())
    .bind(by)
    .bind(utc(now))
    .bind(ends.map(utc))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends a visit with its sessions. False when it was over.
pub(super) async fn end(tx: &mut TenantTx, id: Uuid, by: Uuid, now: Timestamp) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.impersonations SET ended_at = $3, ended_by = $4
         WHERE tenant_id = $1 AND impersonation_id = $2 AND ended_at IS NULL",
    )
    .bind(tenant)
    .bind(id)
    .bind(utc(now))
    .bind(by)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "UPDATE app.sessions SET ended_at = $3, ended_reason = 'guest_left'
         WHERE tenant_id = $1 AND impersonation_id = $2 AND ended_at IS NULL",
    )
    .bind(tenant)
    .bind(id)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What the platform's own record says about a company, newest first. The transaction is the platform's.
pub(super) async fn deeds(tx: &mut TenantTx, about: &str, limit: i64) -> Result<Vec<Deed>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let rows: Vec<(OffsetDateTime, Option<Uuid>, String, serde_json::Value)> = sqlx::query_as(
        "SELECT at, actor, action, diff FROM app.audit
         WHERE tenant_id = $1 AND object_kind = 'tenant' AND object_id = $2 ORDER BY at DESC, audit_id DESC LIMIT $3",
    )
    .bind(tenant)
    .bind(about)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(at, actor, action, diff)| Deed { at, actor, action, diff }).collect())
}

impl<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> for Deed {
    fn from_row(row: &'r sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
        use sqlx::Row as _;
        Ok(Self {
            at: row.try_get("at")?,
            actor: row.try_get("actor")?,
            action: row.try_get("action")?,
            diff: row.try_get("diff")?,
        })
    }
}
