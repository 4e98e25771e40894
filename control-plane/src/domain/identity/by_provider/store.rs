//! The SQL of people and sessions that somebody else vouches for.

use protocol::id::PersonId;
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use crate::clock::utc;
use crate::db::{DbError, SystemTx, TenantTx};

/// What a session proves: a second factor, and that the person was there just now.
pub(super) async fn set_proof(
    tx: &mut TenantTx,
    session: Uuid,
    mfa: Option<Timestamp>,
    fresh: Option<Timestamp>,
) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "UPDATE app.sessions SET mfa_at = $3, stepped_up_at = $4 WHERE tenant_id = $1 AND session_id = $2";
    let done =
        sqlx::query(sql).bind(tenant).bind(session).bind(mfa.map(utc)).bind(fresh.map(utc)).execute(tx.conn()).await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::NotFound) }
}

/// A person without a password. One who is there already is taken only if they are nobody: neither password nor any
/// membership, which is what a try that broke off leaves.
pub(super) async fn newcomer(
    tx: &mut SystemTx,
    person: PersonId,
    email: &str,
    key: &str,
    now: Timestamp,
) -> Result<Option<PersonId>, DbError> {
    let made = sqlx::query(
        "INSERT INTO platform.people (person_id, email, email_key, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (email_key) DO NOTHING",
    )
    .bind(person.as_uuid())
    .bind(email)
    .bind(key)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    if made.rows_affected() == 1 {
        return Ok(Some(person));
    }
    let nobody: Option<Uuid> = sqlx::query_scalar(
        "SELECT p.person_id FROM platform.people p WHERE p.email_key = $1
           AND NOT EXISTS (SELECT FROM platform.passwords w WHERE w.person_id = p.person_id)
           AND NOT EXISTS (SELECT FROM app.memberships m WHERE m.person_id = p.person_id)",
    )
    .bind(key)
    .fetch_optional(tx.conn())
    .await?;
    Ok(nobody.map(PersonId::from_uuid))
}
