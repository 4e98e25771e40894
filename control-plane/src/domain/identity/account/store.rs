//! The SQL of a person's own account: name, password, e-mail, links by mail, sessions.

use protocol::id::PersonId;
use protocol::timestamp::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::clock::utc;
use crate::db::{DbError, SystemTx, TenantTx};
use crate::domain::identity::links::{Kind, Link};

/// A person as they are known.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::domain::identity) struct Profile {
    pub(in crate::domain::identity) person_id: Uuid,
    pub(in crate::domain::identity) email: String,
    pub(in crate::domain::identity) name: Option<String>,
}

pub(in crate::domain::identity) async fn profiles(tx: &mut SystemTx, ids: &[Uuid]) -> Result<Vec<Profile>, DbError> {
    Ok(sqlx::query_as("SELECT person_id, email, name FROM platform.people WHERE person_id = ANY($1)")
        .bind(ids)
        .fetch_all(tx.conn())
        .await?)
}

pub(super) async fn rename(tx: &mut SystemTx, person: PersonId, name: Option<&str>) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE platform.people SET name = $2 WHERE person_id = $1")
        .bind(person.as_uuid())
        .bind(name)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The hash of a person's password and their e-mail.
pub(super) async fn secret_of(
    tx: &mut SystemTx,
    person: PersonId,
) -> Result<Option<(Option<String>, String)>, DbError> {
    Ok(sqlx::query_as(
        "SELECT w.phc, p.email FROM platform.people p LEFT JOIN platform.passwords w USING (person_id)
         WHERE p.person_id = $1",
    )
    .bind(person.as_uuid())
    .fetch_optional(tx.conn())
    .await?)
}

/// Sets a password, if it is still the one that was proved (`was`) or if nothing was to be proved.
pub(super) async fn set_password(
    tx: &mut SystemTx,
    person: PersonId,
    phc: &str,
    was: Option<&str>,
    now: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "INSERT INTO platform.passwords AS w (person_id, phc, changed_at) VALUES ($1, $2, $3)
         ON CONFLICT (person_id) DO UPDATE SET phc = excluded.phc, changed_at = excluded.changed_at
         WHERE $4::text IS NULL OR w.phc = $4",
    )
    .bind(person.as_uuid())
    .bind(phc)
    .bind(utc(now))
    .bind(was)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps a link; older ones of the kind, for the same person, are good no more.
pub(super) async fn insert_link(
    tx: &mut SystemTx,
    link: &Link,
    kind: Kind,
    person: PersonId,
    email: Option<&str>,
    (now, expires): (Timestamp, Timestamp),
) -> Result<(), DbError> {
    drop_links(tx, person, &[kind], now).await?;
    sqlx::query(
        "INSERT INTO platform.one_time_links (link_hash, kind, person_id, email, made_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(link.hash())
    .bind(kind.name())
    .bind(person.as_uuid())
    .bind(email)
    .bind(utc(now))
    .bind(utc(expires))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a person's links of these kinds away.
pub(super) async fn drop_links(
    tx: &mut SystemTx,
    person: PersonId,
    kinds: &[Kind],
    now: Timestamp,
) -> Result<(), DbError> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    sqlx::query(
        "UPDATE platform.one_time_links SET used_at = $3 WHERE person_id = $1 AND kind = ANY($2) AND used_at IS NULL",
    )
    .bind(person.as_uuid())
    .bind(kinds)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whose link it is and to which e-mail, if it is good.
pub(super) async fn look_at_link(
    tx: &mut SystemTx,
    link: &Link,
    kind: Kind,
    now: Timestamp,
) -> Result<Option<(Uuid, Option<String>)>, DbError> {
    Ok(sqlx::query_as(
        "SELECT person_id, email FROM platform.one_time_links
         WHERE link_hash = $1 AND kind = $2 AND used_at IS NULL AND expires_at > $3",
    )
    .bind(link.hash())
    .bind(kind.name())
    .bind(utc(now))
    .fetch_optional(tx.conn())
    .await?)
}

/// Uses a link, this once. Of two who come with it one gets nothing.
pub(super) async fn use_link(
    tx: &mut SystemTx,
    link: &Link,
    kind: Kind,
    now: Timestamp,
) -> Result<Option<(Uuid, Option<String>)>, DbError> {
    Ok(sqlx::query_as(
        "UPDATE platform.one_time_links SET used_at = $3
         WHERE link_hash = $1 AND kind = $2 AND used_at IS NULL AND expires_at > $3 RETURNING person_id, email",
    )
    .bind(link.hash())
    .bind(kind.name())
    .bind(utc(now))
    .fetch_optional(tx.conn())
    .await?)
}

/// Removes links that ended before `before`.
pub(in crate::domain::identity) async fn prune_links(tx: &mut SystemTx, before: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query("DELETE FROM platform.one_time_links WHERE expires_at < $1")
        .bind(utc(before))
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}

/// [`DbError::Taken`] when somebody has it.
pub(super) async fn set_email(tx: &mut SystemTx, person: PersonId, email: &str, key: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE platform.people SET email = $2, email_key = $3 WHERE person_id = $1")
        .bind(person.as_uuid())
        .bind(email)
        .bind(key)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Every tenant a person belongs to, those that are suspended too; `ever`: or belonged to once.
pub(super) async fn tenants_of(tx: &mut SystemTx, person: PersonId, ever: bool) -> Result<Vec<Uuid>, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT tenant_id FROM app.memberships WHERE person_id = $1 AND ($2 OR ended_at IS NULL) ORDER BY tenant_id",
    )
    .bind(person.as_uuid())
    .bind(ever)
    .fetch_all(tx.conn())
    .await?)
}

/// A session as its person sees it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct SessionRow {
    pub(super) session_id: Uuid,
    pub(super) created_at: OffsetDateTime,
    pub(super) expires_at: OffsetDateTime,
    pub(super) used_at: OffsetDateTime,
    pub(super) address: String,
    pub(super) user_agent: String,
    pub(super) method: String,
    pub(super) browser: bool,
}

/// A person's sessions that stand, the newest first.
pub(super) async fn sessions(
    tx: &mut TenantTx,
    person: PersonId,
    now: Timestamp,
    most: i64,
) -> Result<Vec<SessionRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(
        "SELECT session_id, created_at, expires_at, coalesce(used_at, created_at) AS used_at, address, user_agent, method,
                page_hash IS NOT NULL AS browser
         FROM app.sessions WHERE tenant_id = $1 AND person_id = $2 AND ended_at IS NULL AND expires_at > $3
         ORDER BY coalesce(used_at, created_at) DESC, session_id DESC LIMIT $4",
    )
    .bind(tenant)
    .bind(person.as_uuid())
    .bind(utc(now))
    .bind(most)
    .fetch_all(tx.conn())
    .await?)
}

/// Which sessions of a person end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// This one.
    One(Uuid),
    /// All but this one.
    Others(Uuid),
    /// All.
    All,
}

/// Ends sessions of a person that began at `now` or before; answers how many.
pub(super) async fn end(
    tx: &mut TenantTx,
    person: PersonId,
    which: Which,
    reason: &str,
    now: Timestamp,
) -> Result<u64, DbError> {
    let (one, but) = match which {
        Which::One(id) => (Some(id), None),
        Which::Others(id) => (None, Some(id)),
        Which::All => (None, None),
    };
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.sessions SET ended_at = $3, ended_reason = $4
         WHERE tenant_id = $1 AND person_id = $2 AND ended_at IS NULL AND expires_at > $3
           AND ($5::uuid IS NULL OR session_id = $5) AND ($6::uuid IS NULL OR session_id <> $6)
           AND created_at <= $3",
    )
    .bind(tenant)
    .bind(person.as_uuid())
    .bind(utc(now))
    .bind(reason)
    .bind(one)
    .bind(but)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Ends those sessions of a person, but for one, that began at `now` or before and were proved by no second factor.
pub(super) async fn end_unproved(
    tx: &mut TenantTx,
    person: PersonId,
    but: Option<Uuid>,
    now: Timestamp,
) -> Result<u64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.sessions SET ended_at = $3, ended_reason = 'factor_changed'
         WHERE tenant_id = $1 AND person_id = $2 AND ended_at IS NULL AND expires_at > $3 AND created_at <= $3
           AND mfa_at IS NULL AND session_id IS DISTINCT FROM $4",
    )
    .bind(tenant)
    .bind(person.as_uuid())
    .bind(utc(now))
    .bind(but)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
