//! The SQL of people, memberships, sessions and refresh tokens.

use protocol::id::PersonId;
use protocol::timestamp::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::places::Marks;
use crate::clock::utc;
use crate::db::{DbError, SystemTx, TenantTx};

/// Places that are remembered of one person.
const PLACES: i64 = 50;

/// A person with their password's hash.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Person {
    pub(super) person_id: Uuid,
    pub(super) phc: Option<String>,
}

/// A person who tries to sign in, and whether they are known to use the place.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Trying {
    pub(super) person_id: Uuid,
    pub(super) phc: Option<String>,
    pub(super) network_known: bool,
    pub(super) browser_known: bool,
}

/// A refresh token with the session it belongs to.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct TokenRow {
    pub(super) session_id: Uuid,
    pub(super) person_id: Uuid,
    pub(super) issued_at: OffsetDateTime,
    pub(super) used_at: Option<OffsetDateTime>,
    pub(super) ended_at: Option<OffsetDateTime>,
    pub(super) expires_at: OffsetDateTime,
    pub(super) belongs: bool,
    /// Whether the session began by a provider.
    pub(super) by_provider: bool,
    /// Whether it was proved by a second factor.
    pub(super) mfa: bool,
}

pub(super) async fn person_by_email(tx: &mut SystemTx, key: &str) -> Result<Option<Person>, DbError> {
    Ok(sqlx::query_as(
        "SELECT p.person_id, w.phc FROM platform.people p LEFT JOIN platform.passwords w USING (person_id)
         WHERE p.email_key = $1",
    )
    .bind(key)
    .fetch_optional(tx.conn())
    .await?)
}

pub(super) async fn person_trying(tx: &mut SystemTx, key: &str, marks: &Marks) -> Result<Option<Trying>, DbError> {
    Ok(sqlx::query_as(
        "SELECT p.person_id, w.phc,
                EXISTS (SELECT FROM platform.known_places k WHERE k.person_id = p.person_id AND k.mark = $2) AS network_known,
                EXISTS (SELECT FROM platform.known_places k WHERE k.person_id = p.person_id AND k.mark = $3) AS browser_known
         FROM platform.people p LEFT JOIN platform.passwords w USING (person_id) WHERE p.email_key = $1",
    )
    .bind(key)
    .bind(marks.network)
    .bind(marks.browser)
    .fetch_optional(tx.conn())
    .await?)
}

/// Remembers that a person uses a place; of many the oldest are forgotten.
pub(super) async fn know_place(
    tx: &mut SystemTx,
    person: PersonId,
    mark: &[u8; 32],
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO platform.known_places (person_id, mark, seen_at) VALUES ($1, $2, $3)
         ON CONFLICT (person_id, mark) DO UPDATE SET seen_at = excluded.seen_at",
    )
    .bind(person.as_uuid())
    .bind(mark)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "DELETE FROM platform.known_places WHERE person_id = $1 AND mark IN (
             SELECT mark FROM platform.known_places WHERE person_id = $1 ORDER BY seen_at DESC, mark OFFSET $2)",
    )
    .bind(person.as_uuid())
    .bind(PLACES)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets places that were not used since `before`.
pub(super) async fn prune_places(tx: &mut SystemTx, before: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query("DELETE FROM platform.known_places WHERE seen_at < $1")
        .bind(utc(before))
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}

pub(super) async fn phc_of(tx: &mut SystemTx, person: PersonId) -> Result<Option<String>, DbError> {
    let phc = sqlx::query_scalar("SELECT phc FROM platform.passwords WHERE person_id = $1").bind(person.as_uuid());
    Ok(phc.fetch_optional(tx.conn()).await?)
}

pub(super) async fn email_of(tx: &mut SystemTx, person: PersonId) -> Result<Option<String>, DbError> {
    let email = sqlx::query_scalar("SELECT email FROM platform.people WHERE person_id = $1").bind(person.as_uuid());
    Ok(email.fetch_optional(tx.conn()).await?)
}

pub(super) async fn insert_person(
    tx: &mut SystemTx,
    person: PersonId,
    email: &str,
    key: &str,
    phc: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO platform.people (person_id, email, email_key, created_at) VALUES ($1, $2, $3, $4)")
        .bind(person.as_uuid())
        .bind(email)
        .bind(key)
        .bind(utc(now))
        .execute(tx.conn())
        .await?;
    sqlx::query("INSERT INTO platform.passwords (person_id, phc, changed_at) VALUES ($1, $2, $3)")
        .bind(person.as_uuid())
        .bind(phc)
        .bind(utc(now))
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn memberships(tx: &mut SystemTx, person: PersonId) -> Result<Vec<(Uuid, String)>, DbError> {
    Ok(sqlx::query_as(
        "SELECT t.tenant_id, t.name FROM app.memberships m JOIN app.tenants t USING (tenant_id)
         WHERE m.person_id = $1 AND m.ended_at IS NULL AND t.closed_at IS NULL ORDER BY t.name, t.tenant_id",
    )
    .bind(person.as_uuid())
    .fetch_all(tx.conn())
    .await?)
}

/// A member; what they may is another noun's.
pub(super) async fn insert_member(tx: &mut TenantTx, person: PersonId, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query("INSERT INTO app.memberships (tenant_id, person_id, created_at) VALUES ($1, $2, $3)")
        .bind(tenant)
        .bind(person.as_uuid())
        .bind(utc(now))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A session as it begins.
#[derive(Debug)]
pub(super) struct NewSession<'a> {
    pub(super) session: Uuid,
    pub(super) person: PersonId,
    pub(super) address: &'a str,
    pub(super) agent: &'a str,
    /// How the person proved who they are: `password`, `passkey`, `sso`.
    pub(super) method: &'a str,
    /// Whether a second factor was part of it.
    pub(super) mfa: bool,
    pub(super) now: Timestamp,
    pub(super) expires: Timestamp,
}

pub(super) async fn insert_session(tx: &mut TenantTx, new: &NewSession<'_>) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.sessions
             (tenant_id, session_id, person_id, created_at, expires_at, address, user_agent, method, mfa_at,
              stepped_up_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $9 THEN $4 END, $4)",
    )
    .bind(tenant)
    .bind(new.session)
    .bind(new.person.as_uuid())
    .bind(utc(new.now))
    .bind(utc(new.expires))
    .bind(new.address)
    .bind(new.agent)
    .bind(new.method)
    .bind(new.mfa)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives a session the key of a browser, by its hash.
pub(super) async fn set_page_key(tx: &mut TenantTx, session: Uuid, hash: &[u8]) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query("UPDATE app.sessions SET page_hash = $3 WHERE tenant_id = $1 AND session_id = $2")
        .bind(tenant)
        .bind(session)
        .bind(hash)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::NotFound) }
}

pub(super) async fn insert_token(tx: &mut TenantTx, session: Uuid, hash: &[u8], now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.refresh_tokens (tenant_id, token_hash, session_id, issued_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(tenant)
    .bind(hash)
    .bind(session)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Finds a token and locks it, so that of two who come with it at once one comes second.
pub(super) async fn lock_token(tx: &mut TenantTx, hash: &[u8]) -> Result<Option<TokenRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(
        "SELECT r.session_id, s.person_id, r.issued_at, r.used_at, s.ended_at, s.expires_at,
                (m.ended_at IS NULL AND t.closed_at IS NULL) AS belongs,
                s.method = 'sso' AS by_provider, s.mfa_at IS NOT NULL AS mfa
         FROM app.refresh_tokens r
         JOIN app.sessions s ON s.tenant_id = r.tenant_id AND s.session_id = r.session_id
         JOIN app.memberships m ON m.tenant_id = s.tenant_id AND m.person_id = s.person_id
         JOIN app.tenants t ON t.tenant_id = s.tenant_id
         WHERE r.tenant_id = $1 AND r.token_hash = $2 FOR UPDATE OF r",
    )
    .bind(tenant)
    .bind(hash)
    .fetch_optional(tx.conn())
    .await?)
}

pub(super) async fn use_token(tx: &mut TenantTx, hash: &[u8], now: Timestamp) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.refresh_tokens SET used_at = $3 WHERE tenant_id = $1 AND token_hash = $2 AND used_at IS NULL",
    )
    .bind(tenant)
    .bind(hash)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that a session is used.
pub(super) async fn note_use(tx: &mut TenantTx, session: Uuid, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query("UPDATE app.sessions SET used_at = $3 WHERE tenant_id = $1 AND session_id = $2")
        .bind(tenant)
        .bind(session)
        .bind(utc(now))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Ends a session with all its tokens. False if it had ended before.
pub(super) async fn end_session(
    tx: &mut TenantTx,
    session: Uuid,
    reason: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.sessions SET ended_at = $3, ended_reason = $4
         WHERE tenant_id = $1 AND session_id = $2 AND ended_at IS NULL",
    )
    .bind(tenant)
    .bind(session)
    .bind(utc(now))
    .bind(reason)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes sessions (and, with them, their tokens) that ended or expired before `before`.
pub(super) async fn prune_sessions(tx: &mut TenantTx, before: Timestamp) -> Result<u64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query("DELETE FROM app.sessions WHERE tenant_id = $1 AND coalesce(ended_at, expires_at) < $2")
        .bind(tenant)
        .bind(utc(before))
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}

pub(super) async fn name_person(tx: &mut SystemTx, person: PersonId, name: &str) -> Result<(), DbError> {
    let name = Some(name.trim()).filter(|name| !name.is_empty());
    let sql = "UPDATE platform.people SET name = $2 WHERE person_id = $1";
    sqlx::query(sql).bind(person.as_uuid()).bind(name).execute(tx.conn()).await?;
    Ok(())
}

/// A member; somebody who was one before is one again.
pub(super) async fn ensure_member(tx: &mut TenantTx, person: PersonId, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.memberships AS m (tenant_id, person_id, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id, person_id) DO UPDATE SET ended_at = NULL",
    )
    .bind(tenant)
    .bind(person.as_uuid())
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The session of a guest as it begins.
pub(super) struct Guest<'a> {
    pub(super) session: Uuid,
    pub(super) person: PersonId,
    pub(super) impersonation: Uuid,
    pub(super) hash: [u8; 32],
    pub(super) address: String,
    pub(super) agent: &'a str,
    pub(super) ends: Timestamp,
    pub(super) now: Timestamp,
}

pub(super) async fn insert_guest(tx: &mut TenantTx, new: &Guest<'_>) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.sessions (tenant_id, session_id, person_id, created_at, expires_at, address, user_agent, method,
             impersonation_id, page_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'guest', $8, $9)",
    )
    .bind(tenant)
    .bind(new.session)
    .bind(new.person.as_uuid())
    .bind(utc(new.now))
    .bind(utc(new.ends))
    .bind(&new.address)
    .bind(new.agent)
    .bind(new.impersonation)
    .bind(new.hash)
    .execute(tx.conn())
    .await?;
    Ok(())
}
