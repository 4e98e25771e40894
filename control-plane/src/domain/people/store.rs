//! The SQL of memberships and invitations.

use protocol::id::PersonId;
use protocol::timestamp::Timestamp;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::clock::utc;
use crate::db::{DbError, SystemTx, TenantTx};

pub(super) async fn members(
    tx: &mut TenantTx,
    one: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<(Uuid, OffsetDateTime)>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(
        "SELECT person_id, created_at FROM app.memberships
         WHERE tenant_id = $1 AND ended_at IS NULL AND ($2::uuid IS NULL OR person_id = $2)
           AND ($3::uuid IS NULL OR person_id > $3)
         ORDER BY person_id LIMIT $4",
    )
    .bind(tenant)
    .bind(one)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?)
}

/// Makes somebody a member, perhaps again. False if they are one.
pub(super) async fn join(tx: &mut TenantTx, person: PersonId, now: Timestamp) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "INSERT INTO app.memberships AS m (tenant_id, person_id, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id, person_id) DO UPDATE SET created_at = excluded.created_at, ended_at = NULL, role = NULL
         WHERE m.ended_at IS NOT NULL",
    )
    .bind(tenant)
    .bind(person.as_uuid())
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a membership. False if it is none, or ended before.
pub(super) async fn end(tx: &mut TenantTx, person: PersonId, now: Timestamp) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.memberships SET ended_at = $3 WHERE tenant_id = $1 AND person_id = $2 AND ended_at IS NULL",
    )
    .bind(tenant)
    .bind(person.as_uuid())
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether an e-mail belongs to a member of a tenant. One statement, whoever it belongs to.
pub(super) async fn is_member(tx: &mut SystemTx, tenant: Uuid, email_key: &str) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM platform.people p JOIN app.memberships m ON m.person_id = p.person_id
                        WHERE p.email_key = $2 AND m.tenant_id = $1 AND m.ended_at IS NULL)",
    )
    .bind(tenant)
    .bind(email_key)
    .fetch_one(tx.conn())
    .await?)
}

/// An invitation as it is kept.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct InvitationRow {
    pub(super) invitation_id: Uuid,
    pub(super) email: String,
    pub(super) email_key: String,
    pub(super) roles: Value,
    pub(super) invited_by: Uuid,
    pub(super) sent_at: OffsetDateTime,
    pub(super) expires_at: OffsetDateTime,
}

pub(super) async fn invitations(
    tx: &mut TenantTx,
    one: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<InvitationRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(
        "SELECT invitation_id, email, email_key, roles, invited_by, sent_at, expires_at FROM app.invitations
         WHERE tenant_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL
           AND ($2::uuid IS NULL OR invitation_id = $2) AND ($3::uuid IS NULL OR invitation_id < $3)
         ORDER BY invitation_id DESC LIMIT $4",
    )
    .bind(tenant)
    .bind(one)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?)
}

pub(super) async fn open_invitations(tx: &mut TenantTx) -> Result<i64, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM app.invitations WHERE tenant_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL",
    )
    .bind(tenant)
    .fetch_one(tx.conn())
    .await?)
}

/// An invitation as it is made.
#[derive(Debug)]
pub(super) struct NewRow<'a> {
    pub(super) id: Uuid,
    pub(super) email: &'a str,
    pub(super) email_key: &'a str,
    pub(super) link: [u8; 32],
    pub(super) roles: &'a Value,
    pub(super) by: PersonId,
    pub(super) now: Timestamp,
    pub(super) expires: Timestamp,
}

/// [`DbError::Taken`] when one to this e-mail is open.
pub(super) async fn insert(tx: &mut TenantTx, new: &NewRow<'_>) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.invitations
             (tenant_id, invitation_id, email, email_key, link_hash, roles, invited_by, made_at, sent_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)",
    )
    .bind(tenant)
    .bind(new.id)
    .bind(new.email)
    .bind(new.email_key)
    .bind(new.link)
    .bind(new.roles)
    .bind(new.by.as_uuid())
    .bind(utc(new.now))
    .bind(utc(new.expires))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives an open invitation another link, with whose word it stands now; the link before is good no more.
pub(super) async fn renew(
    tx: &mut TenantTx,
    id: Uuid,
    link: &[u8; 32],
    by: PersonId,
    (now, expires): (Timestamp, Timestamp),
) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.invitations SET link_hash = $3, invited_by = $4, sent_at = $5, expires_at = $6
         WHERE tenant_id = $1 AND invitation_id = $2 AND accepted_at IS NULL AND revoked_at IS NULL",
    )
    .bind(tenant)
    .bind(id)
    .bind(link)
    .bind(by.as_uuid())
    .bind(utc(now))
    .bind(utc(expires))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn revoke(tx: &mut TenantTx, id: Uuid, now: Timestamp) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.invitations SET revoked_at = $3
         WHERE tenant_id = $1 AND invitation_id = $2 AND accepted_at IS NULL AND revoked_at IS NULL",
    )
    .bind(tenant)
    .bind(id)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The invitation of a link, if it is good; locked, so that of two who come with it one comes second.
pub(super) async fn lock_by_link(
    tx: &mut TenantTx,
    link: &[u8; 32],
    now: Timestamp,
) -> Result<Option<InvitationRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(
        "SELECT i.invitation_id, i.email, i.email_key, i.roles, i.invited_by, i.sent_at, i.expires_at
         FROM app.invitations i JOIN app.tenants t ON t.tenant_id = i.tenant_id
         WHERE i.tenant_id = $1 AND i.link_hash = $2 AND i.accepted_at IS NULL AND i.revoked_at IS NULL
           AND i.expires_at > $3 AND t.closed_at IS NULL AND t.suspended_at IS NULL
         FOR UPDATE OF i",
    )
    .bind(tenant)
    .bind(link)
    .bind(utc(now))
    .fetch_optional(tx.conn())
    .await?)
}

pub(super) async fn accepted(tx: &mut TenantTx, id: Uuid, by: PersonId, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.invitations SET accepted_at = $3, accepted_by = $4
         WHERE tenant_id = $1 AND invitation_id = $2 AND accepted_at IS NULL AND revoked_at IS NULL",
    )
    .bind(tenant)
    .bind(id)
    .bind(utc(now))
    .bind(by.as_uuid())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::NotFound) }
}

/// Ends the open invitations that somebody made whose membership ends: nobody stands behind them any more.
pub(super) async fn revoke_of(tx: &mut TenantTx, person: PersonId, now: Timestamp) -> Result<u64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.invitations SET revoked_at = $3
         WHERE tenant_id = $1 AND invited_by = $2 AND accepted_at IS NULL AND revoked_at IS NULL",
    )
    .bind(tenant)
    .bind(person.as_uuid())
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
