//! The SQL of second factors. What may be done once is an UPDATE or DELETE whose rows are counted, so that of two who
//! come at once, at whichever replica, one comes second.

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::clock::utc;
use crate::db::{DbError, SystemTx, TenantTx};

/// What a person has.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(super) struct Have {
    pub(super) totp: bool,
    pub(super) passkeys: i64,
    pub(super) codes: i64,
}

impl Have {
    /// Whether there is a second factor; recovery codes alone are none.
    pub(super) const fn factor(self) -> bool {
        self.totp || self.passkeys > 0
    }
}

pub(super) async fn have(tx: &mut SystemTx, person: PersonId) -> Result<Have, DbError> {
    Ok(sqlx::query_as(
        "SELECT EXISTS (SELECT FROM platform.totp WHERE person_id = $1 AND confirmed_at IS NOT NULL) AS totp,
                (SELECT count(*) FROM platform.passkeys WHERE person_id = $1) AS passkeys,
                (SELECT count(*) FROM platform.recovery_codes WHERE person_id = $1 AND used_at IS NULL) AS codes",
    )
    .bind(person.as_uuid())
    .fetch_one(tx.conn())
    .await?)
}

/// The sealed secret of a person's authenticator app.
#[derive(sqlx::FromRow)]
pub(super) struct TotpRow {
    pub(super) sealed: Vec<u8>,
    pub(super) confirmed: bool,
}

pub(super) async fn totp(tx: &mut SystemTx, person: PersonId) -> Result<Option<TotpRow>, DbError> {
    let sql = "SELECT sealed, confirmed_at IS NOT NULL AS confirmed FROM platform.totp WHERE person_id = $1";
    Ok(sqlx::query_as(sql).bind(person.as_uuid()).fetch_optional(tx.conn()).await?)
}

/// Puts a secret that waits to be confirmed in place of one that waited before. False beside a confirmed one.
pub(super) async fn put_totp(
    tx: &mut SystemTx,
    person: PersonId,
    sealed: &[u8],
    now: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "INSERT INTO platform.totp AS t (person_id, sealed, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (person_id) DO UPDATE SET sealed = excluded.sealed, created_at = excluded.created_at
         WHERE t.confirmed_at IS NULL",
    )
    .bind(person.as_uuid())
    .bind(sealed)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Confirms the very secret that a code was checked against, and takes that code's step.
pub(super) async fn confirm_totp(
    tx: &mut SystemTx,
    person: PersonId,
    sealed: &[u8],
    step: i64,
    now: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE platform.totp SET confirmed_at = $4, last_step = $3
         WHERE person_id = $1 AND sealed = $2 AND confirmed_at IS NULL",
    )
    .bind(person.as_uuid())
    .bind(sealed)
    .bind(step)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes a step. False when it, or one after it, was taken before.
pub(super) async fn use_step(tx: &mut SystemTx, person: PersonId, step: i64) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE platform.totp SET last_step = $2 WHERE person_id = $1 AND confirmed_at IS NOT NULL AND last_step < $2",
    )
    .bind(person.as_uuid())
    .bind(step)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts the same secret under a newer key.
pub(super) async fn reseal(tx: &mut SystemTx, person: PersonId, old: &[u8], new: &[u8]) -> Result<(), DbError> {
    sqlx::query("UPDATE platform.totp SET sealed = $3 WHERE person_id = $1 AND sealed = $2")
        .bind(person.as_uuid())
        .bind(old)
        .bind(new)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn remove_totp(tx: &mut SystemTx, person: PersonId) -> Result<bool, DbError> {
    let sql = "DELETE FROM platform.totp WHERE person_id = $1";
    Ok(sqlx::query(sql).bind(person.as_uuid()).execute(tx.conn()).await?.rows_affected() == 1)
}

/// A passkey.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct PasskeyRow {
    pub(super) passkey_id: Uuid,
    pub(super) credential: Value,
    pub(super) counter: i64,
    pub(super) name: String,
    pub(super) created_at: OffsetDateTime,
    pub(super) used_at: Option<OffsetDateTime>,
}

pub(super) async fn passkeys(tx: &mut SystemTx, person: PersonId) -> Result<Vec<PasskeyRow>, DbError> {
    Ok(sqlx::query_as(
        "SELECT passkey_id, credential, counter, name, created_at, used_at FROM platform.passkeys
         WHERE person_id = $1 ORDER BY created_at, passkey_id",
    )
    .bind(person.as_uuid())
    .fetch_all(tx.conn())
    .await?)
}

/// A passkey as it is added.
pub(super) struct NewKey<'a> {
    pub(super) id: Uuid,
    pub(super) person: PersonId,
    pub(super) credential_id: &'a [u8],
    pub(super) credential: &'a Value,
    pub(super) name: &'a str,
    pub(super) now: Timestamp,
}

pub(super) async fn add_passkey(tx: &mut SystemTx, new: &NewKey<'_>) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO platform.passkeys (passkey_id, person_id, credential_id, credential, counter, name, created_at)
         VALUES ($1, $2, $3, $4, 0, $5, $6)",
    )
    .bind(new.id)
    .bind(new.person.as_uuid())
    .bind(new.credential_id)
    .bind(new.credential)
    .bind(new.name)
    .bind(utc(new.now))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes a use with the counter that came. False when the same or a later one was seen meanwhile.
pub(super) async fn use_passkey(
    tx: &mut SystemTx,
    id: Uuid,
    credential: &Value,
    counter: i64,
    now: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE platform.passkeys SET credential = $2, counter = $3, used_at = $4
         WHERE passkey_id = $1 AND (counter < $3 OR (counter = 0 AND $3 = 0))",
    )
    .bind(id)
    .bind(credential)
    .bind(counter)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn rename_passkey(tx: &mut SystemTx, person: PersonId, id: Uuid, name: &str) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE platform.passkeys SET name = $3 WHERE person_id = $1 AND passkey_id = $2")
        .bind(person.as_uuid())
        .bind(id)
        .bind(name)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn remove_passkey(tx: &mut SystemTx, person: PersonId, id: Uuid) -> Result<bool, DbError> {
    let sql = "DELETE FROM platform.passkeys WHERE person_id = $1 AND passkey_id = $2";
    Ok(sqlx::query(sql).bind(person.as_uuid()).bind(id).execute(tx.conn()).await?.rows_affected() == 1)
}

/// Takes everything away that a person has beside the password, also what waits. Answers whether there was a factor.
pub(super) async fn remove_all(tx: &mut SystemTx, person: PersonId) -> Result<bool, DbError> {
    let mut factors = 0;
    for (sql, is_factor) in [
        ("DELETE FROM platform.totp WHERE person_id = $1", true),
        ("DELETE FROM platform.passkeys WHERE person_id = $1", true),
        ("DELETE FROM platform.recovery_codes WHERE person_id = $1", false),
        ("DELETE FROM platform.sign_in_steps WHERE person_id = $1", false),
        ("DELETE FROM platform.passkey_ceremonies WHERE person_id = $1", false),
    ] {
        let done = sqlx::query(sql).bind(person.as_uuid()).execute(tx.conn()).await?;
        factors += if is_factor { done.rows_affected() } else { 0 };
    }
    Ok(factors > 0)
}

/// Puts these codes in place of all before.
pub(super) async fn put_codes(
    tx: &mut SystemTx,
    person: PersonId,
    hashes: &[[u8; 32]],
    now: Timestamp,
) -> Result<(), DbError> {
    let sql = "DELETE FROM platform.recovery_codes WHERE person_id = $1";
    sqlx::query(sql).bind(person.as_uuid()).execute(tx.conn()).await?;
    let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
    sqlx::query(
        "INSERT INTO platform.recovery_codes (person_id, code_hash, created_at) SELECT $1, h, $3 FROM unnest($2::bytea[]) h",
    )
    .bind(person.as_uuid())
    .bind(hashes)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn use_code(
    tx: &mut SystemTx,
    person: PersonId,
    hash: &[u8],
    now: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE platform.recovery_codes SET used_at = $3 WHERE person_id = $1 AND code_hash = $2 AND used_at IS NULL",
    )
    .bind(person.as_uuid())
    .bind(hash)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes a sign-in that waits; those whose time is over go.
pub(super) async fn put_step(
    tx: &mut SystemTx,
    hash: &[u8],
    person: PersonId,
    tenant: TenantId,
    now: Timestamp,
    ends: Timestamp,
) -> Result<(), DbError> {
    let gone = "DELETE FROM platform.sign_in_steps WHERE ends_at <= $1";
    sqlx::query(gone).bind(utc(now)).execute(tx.conn()).await?;
    sqlx::query(
        "INSERT INTO platform.sign_in_steps (token_hash, person_id, tenant_id, ends_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(hash)
    .bind(person.as_uuid())
    .bind(tenant.as_uuid())
    .bind(utc(ends))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn step(tx: &mut SystemTx, hash: &[u8], now: Timestamp) -> Result<Option<(Uuid, Uuid)>, DbError> {
    let sql = "SELECT person_id, tenant_id FROM platform.sign_in_steps WHERE token_hash = $1 AND ends_at > $2";
    Ok(sqlx::query_as(sql).bind(hash).bind(utc(now)).fetch_optional(tx.conn()).await?)
}

/// Ends a sign-in's waiting. False when somebody was faster.
pub(super) async fn take_step(tx: &mut SystemTx, hash: &[u8]) -> Result<bool, DbError> {
    let sql = "DELETE FROM platform.sign_in_steps WHERE token_hash = $1";
    Ok(sqlx::query(sql).bind(hash).execute(tx.conn()).await?.rows_affected() == 1)
}

/// A challenge as it begins.
pub(super) struct NewCeremony<'a> {
    pub(super) hash: &'a [u8],
    pub(super) kind: &'static str,
    pub(super) person: Option<PersonId>,
    pub(super) bound_to: &'a str,
    pub(super) state: &'a Value,
    pub(super) now: Timestamp,
    pub(super) ends: Timestamp,
}

/// Notes a challenge in place of an earlier one of the same place; those whose time is over go.
pub(super) async fn put_ceremony(tx: &mut SystemTx, new: &NewCeremony<'_>) -> Result<(), DbError> {
    sqlx::query(
        "DELETE FROM platform.passkey_ceremonies
         WHERE ends_at <= $1 OR (person_id = $2 AND kind = $3 AND bound_to = $4)",
    )
    .bind(utc(new.now))
    .bind(new.person.map(|person| person.as_uuid()))
    .bind(new.kind)
    .bind(new.bound_to)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "INSERT INTO platform.passkey_ceremonies (ceremony_hash, kind, person_id, bound_to, state, ends_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(new.hash)
    .bind(new.kind)
    .bind(new.person.map(|person| person.as_uuid()))
    .bind(new.bound_to)
    .bind(new.state)
    .bind(utc(new.ends))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a challenge out: whoever comes second finds none.
pub(super) async fn take_ceremony(
    tx: &mut SystemTx,
    hash: &[u8],
    kind: &str,
    person: Option<PersonId>,
    bound_to: &str,
    now: Timestamp,
) -> Result<Option<Value>, DbError> {
    Ok(sqlx::query_scalar(
        "DELETE FROM platform.passkey_ceremonies WHERE ceremony_hash = $1 AND kind = $2 AND person_id IS NOT DISTINCT FROM $3
             AND bound_to = $4 AND ends_at > $5 RETURNING state",
    )
    .bind(hash)
    .bind(kind)
    .bind(person.map(|person| person.as_uuid()))
    .bind(bound_to)
    .bind(utc(now))
    .fetch_optional(tx.conn())
    .await?)
}

/// Notes that a session was proved again; with a second factor when `mfa`.
pub(super) async fn prove(tx: &mut TenantTx, session: Uuid, mfa: bool, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.sessions SET stepped_up_at = $3, own_proof_at = $3,
           own_factor_at = CASE WHEN $4 THEN $3 ELSE own_factor_at END,
           mfa_at = CASE WHEN $4 THEN coalesce(mfa_at, $3) ELSE mfa_at END
         WHERE tenant_id = $1 AND session_id = $2 AND ended_at IS NULL",
    )
    .bind(tenant)
    .bind(session)
    .bind(utc(now))
    .bind(mfa)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::NotFound) }
}

/// Whether a session began by what is the person's own, or was proved by that after `since`.
pub(super) async fn is_own(tx: &mut TenantTx, session: Uuid, since: Timestamp) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let own = sqlx::query_scalar(
        "SELECT method <> 'sso' OR coalesce(own_proof_at > $3, false) FROM app.sessions
         WHERE tenant_id = $1 AND session_id = $2",
    );
    Ok(own.bind(tenant).bind(session).bind(utc(since)).fetch_optional(tx.conn()).await?.unwrap_or(false))
}

/// Whether a second factor of the person's own was shown in a session: at its beginning, or later. What a provider says of
/// a second factor is not that.
pub(super) async fn showed_factor(tx: &mut TenantTx, session: Uuid) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let shown = sqlx::query_scalar(
        "SELECT own_factor_at IS NOT NULL OR (method <> 'sso' AND mfa_at IS NOT NULL) FROM app.sessions
         WHERE tenant_id = $1 AND session_id = $2",
    );
    Ok(shown.bind(tenant).bind(session).fetch_optional(tx.conn()).await?.unwrap_or(false))
}

/// Whether one of these people has a second factor.
pub(super) async fn any_has_factor(tx: &mut SystemTx, people: &[Uuid]) -> Result<bool, DbError> {
    let any = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM platform.totp WHERE person_id = ANY($1) AND confirmed_at IS NOT NULL)
             OR EXISTS (SELECT FROM platform.passkeys WHERE person_id = ANY($1))",
    );
    Ok(any.bind(people).fetch_one(tx.conn()).await?)
}

/// A session counts as one with a second factor from now on, or no longer does.
pub(super) async fn set_mfa(tx: &mut TenantTx, session: Uuid, at: Option<Timestamp>) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.sessions SET mfa_at = $3 WHERE tenant_id = $1 AND session_id = $2 AND ended_at IS NULL",
    )
    .bind(tenant)
    .bind(session)
    .bind(at.map(utc))
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::NotFound) }
}
