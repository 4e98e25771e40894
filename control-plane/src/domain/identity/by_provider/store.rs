//! The SQL of people and sessions that somebody else vouches for.

use protocol::id::PersonId;
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use crate::clock::utc;
use crate::db::{DbError, SystemTx, TenantTx};

/// A page session as it begins, and what it proves: a second factor, and that the person was there just now.
#[derive(Debug)]
pub(super) struct NewSession<'a> {
    pub(super) session: Uuid,
    pub(super) person: PersonId,
    pub(super) address: &'a str,
    pub(super) agent: &'a str,
    pub(super) now: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) page: [u8; 32],
    pub(super) mfa: Option<Timestamp>,
    pub(super) fresh: Option<Timestamp>,
}

pub(super) async fn insert_session(tx: &mut TenantTx, new: &NewSession<'_>) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.sessions (tenant_id, session_id, person_id, created_at, expires_at, address, user_agent, method,
           page_hash, mfa_at, stepped_up_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'sso', $8, $9, $10)",
    )
    .bind(tenant)
    .bind(new.session)
    .bind(new.person.as_uuid())
    .bind(utc(new.now))
    .bind(utc(new.expires))
    .bind(new.address)
    .bind(new.agent)
    .bind(new.page.as_slice())
    .bind(new.mfa.map(utc))
    .bind(new.fresh.map(utc))
    .execute(tx.conn())
    .await?;
    Ok(())
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
