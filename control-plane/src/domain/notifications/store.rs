//! The SQL of notifications.

use protocol::id::PersonId;
use protocol::timestamp::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::types::{Kind, Notice};
use crate::clock::utc;
use crate::db::{DbError, TenantTx};

#[derive(sqlx::FromRow)]
pub(super) struct NoticeRow {
    pub(super) notice_id: Uuid,
    pub(super) person_id: Uuid,
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) href: Option<String>,
    pub(super) made_at: OffsetDateTime,
    pub(super) read_at: Option<OffsetDateTime>,
}

pub(super) async fn insert(
    tx: &mut TenantTx,
    id: Uuid,
    person: PersonId,
    notice: &Notice,
    now: Timestamp,
) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.notices (tenant_id, notice_id, person_id, kind, title, body, href, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(tenant)
    .bind(id)
    .bind(person.as_uuid())
    .bind(notice.kind.name())
    .bind(&notice.title)
    .bind(&notice.body)
    .bind(notice.href.as_deref())
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One, for the mail that repeats it.
pub(super) async fn get(tx: &mut TenantTx, id: Uuid) -> Result<Option<NoticeRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT notice_id, person_id, kind, title, body, href, made_at, read_at FROM app.notices
               WHERE tenant_id = $1 AND notice_id = $2";
    Ok(sqlx::query_as(sql).bind(tenant).bind(id).fetch_optional(tx.conn()).await?)
}

/// A person's, newest first, older than `before`.
pub(super) async fn list(
    tx: &mut TenantTx,
    person: PersonId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<NoticeRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT notice_id, person_id, kind, title, body, href, made_at, read_at FROM app.notices
               WHERE tenant_id = $1 AND person_id = $2 AND notice_id < $3 ORDER BY notice_id DESC LIMIT $4";
    let query = sqlx::query_as(sql).bind(tenant).bind(person.as_uuid()).bind(before.unwrap_or(Uuid::max())).bind(limit);
    Ok(query.fetch_all(tx.conn()).await?)
}

/// How many are unread, counted up to `most`.
pub(super) async fn unread(tx: &mut TenantTx, person: PersonId, most: i64) -> Result<i64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT count(*) FROM (SELECT FROM app.notices
               WHERE tenant_id = $1 AND person_id = $2 AND read_at IS NULL LIMIT $3) AS counted";
    Ok(sqlx::query_scalar(sql).bind(tenant).bind(person.as_uuid()).bind(most).fetch_one(tx.conn()).await?)
}

/// Notes that it was read; where it leads, none if it is not this person's.
pub(super) async fn read(
    tx: &mut TenantTx,
    person: PersonId,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<Option<String>>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "UPDATE app.notices SET read_at = coalesce(read_at, $4)
               WHERE tenant_id = $1 AND notice_id = $2 AND person_id = $3 RETURNING href";
    let query = sqlx::query_scalar(sql).bind(tenant).bind(id).bind(person.as_uuid()).bind(utc(now));
    Ok(query.fetch_optional(tx.conn()).await?)
}

pub(super) async fn read_all(tx: &mut TenantTx, person: PersonId, now: Timestamp) -> Result<u64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "UPDATE app.notices SET read_at = $3 WHERE tenant_id = $1 AND person_id = $2 AND read_at IS NULL";
    let done = sqlx::query(sql).bind(tenant).bind(person.as_uuid()).bind(utc(now)).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}

/// What a person chose, by the kinds' names.
pub(super) async fn choices(tx: &mut TenantTx, person: PersonId) -> Result<Vec<(String, bool)>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT kind, by_mail FROM app.notice_choices WHERE tenant_id = $1 AND person_id = $2";
    Ok(sqlx::query_as(sql).bind(tenant).bind(person.as_uuid()).fetch_all(tx.conn()).await?)
}

pub(super) async fn choose(tx: &mut TenantTx, person: PersonId, kind: Kind, by_mail: bool) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.notice_choices (tenant_id, person_id, kind, by_mail) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, person_id, kind) DO UPDATE SET by_mail = excluded.by_mail",
    )
    .bind(tenant)
    .bind(person.as_uuid())
    .bind(kind.name())
    .bind(by_mail)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes what was read before `read`, and everything made before `made`.
pub(super) async fn prune(tx: &mut TenantTx, read: Timestamp, made: Timestamp) -> Result<u64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "DELETE FROM app.notices WHERE tenant_id = $1 AND (read_at < $2 OR made_at < $3)";
    let done = sqlx::query(sql).bind(tenant).bind(utc(read)).bind(utc(made)).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}
