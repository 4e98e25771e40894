//! The SQL of single sign-on.

use protocol::id::PersonId;
use protocol::timestamp::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::types::NewProvider;
use crate::clock::utc;
use crate::db::{DbError, SystemTx, TenantTx};

/// A row of `app.sso_providers` with its domains and how many people are linked.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct ProviderRow {
    pub(super) provider_id: Uuid,
    pub(super) label: String,
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) client_secret: Vec<u8>,
    pub(super) newcomer_role: Option<String>,
    pub(super) enabled: bool,
    pub(super) enforced: bool,
    pub(super) version: i64,
    pub(super) domains: Vec<String>,
    pub(super) people: i64,
}

const ALL: &str = "SELECT p.provider_id, p.label, p.issuer, p.client_id, p.client_secret, p.newcomer_role, p.enabled,
       p.enforced, p.version,
       ARRAY(SELECT d.domain FROM app.sso_domains d
             WHERE d.tenant_id = p.tenant_id AND d.provider_id = p.provider_id ORDER BY d.domain) AS domains,
       (SELECT count(DISTINCT i.person_id) FROM app.sso_identities i
        WHERE i.tenant_id = p.tenant_id AND i.provider_id = p.provider_id) AS people
FROM app.sso_providers p WHERE p.tenant_id = $1 AND ($2::uuid IS NULL OR p.provider_id = $2)
ORDER BY p.label, p.provider_id LIMIT 100";

pub(super) async fn list(tx: &mut TenantTx) -> Result<Vec<ProviderRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(ALL).bind(tenant).bind(None::<Uuid>).fetch_all(tx.conn()).await?)
}

pub(super) async fn get(tx: &mut TenantTx, provider: Uuid) -> Result<Option<ProviderRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(ALL).bind(tenant).bind(Some(provider)).fetch_optional(tx.conn()).await?)
}

/// Holds the row until the end of the transaction, and answers its version.
pub(super) async fn lock(tx: &mut TenantTx, provider: Uuid) -> Result<Option<i64>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT version FROM app.sso_providers WHERE tenant_id = $1 AND provider_id = $2 FOR UPDATE";
    Ok(sqlx::query_scalar(sql).bind(tenant).bind(provider).fetch_optional(tx.conn()).await?)
}

pub(super) async fn insert(
    tx: &mut TenantTx,
    provider: Uuid,
    new: &NewProvider,
    secret: &[u8],
    now: Timestamp,
) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.sso_providers (tenant_id, provider_id, label, issuer, client_id, client_secret, newcomer_role,
           enabled, enforced, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $10)",
    )
    .bind(tenant)
    .bind(provider)
    .bind(&new.label)
    .bind(&new.issuer)
    .bind(&new.client_id)
    .bind(secret)
    .bind(&new.newcomer_role)
    .bind(new.enabled)
    .bind(new.enforced)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    set_domains(tx, provider, &new.domains).await
}

pub(super) async fn update(
    tx: &mut TenantTx,
    provider: Uuid,
    next: &NewProvider,
    secret: &[u8],
    now: Timestamp,
) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.sso_providers SET label = $3, client_id = $4, client_secret = $5, newcomer_role = $6, enabled = $7,
           enforced = $8, version = version + 1, updated_at = $9
         WHERE tenant_id = $1 AND provider_id = $2",
    )
    .bind(tenant)
    .bind(provider)
    .bind(&next.label)
    .bind(&next.client_id)
    .bind(secret)
    .bind(&next.newcomer_role)
    .bind(next.enabled)
    .bind(next.enforced)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    set_domains(tx, provider, &next.domains).await?;
    Ok(done.rows_affected() == 1)
}

async fn set_domains(tx: &mut TenantTx, provider: Uuid, domains: &[String]) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query("DELETE FROM app.sso_domains WHERE tenant_id = $1 AND provider_id = $2")
        .bind(tenant)
        .bind(provider)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "INSERT INTO app.sso_domains (tenant_id, provider_id, domain) SELECT $1, $2, d FROM unnest($3::text[]) d",
    )
    .bind(tenant)
    .bind(provider)
    .bind(domains)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// With it go its domains, its links and what is under way.
pub(super) async fn delete(tx: &mut TenantTx, provider: Uuid) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "DELETE FROM app.sso_providers WHERE tenant_id = $1 AND provider_id = $2";
    let done = sqlx::query(sql).bind(tenant).bind(provider).execute(tx.conn()).await?;
    Ok(done.rows_affected() == 1)
}

/// Tenants that claim a domain for a provider of theirs, as long as a member with a password of their own has an e-mail
/// there: that one had to read a mail, so not everybody can claim any domain.
pub(super) async fn tenants_of_domain(tx: &mut SystemTx, domain: &str) -> Result<Vec<(Uuid, String)>, DbError> {
    Ok(sqlx::query_as(
        "SELECT DISTINCT t.tenant_id, t.name FROM app.sso_domains d JOIN app.tenants t USING (tenant_id)
         WHERE d.domain = $1 AND t.closed_at IS NULL AND EXISTS (
           SELECT FROM app.memberships m JOIN platform.people p USING (person_id)
             JOIN platform.passwords w USING (person_id)
           WHERE m.tenant_id = d.tenant_id AND m.ended_at IS NULL AND split_part(p.email_key, '@', 2) = d.domain)
         ORDER BY t.name, t.tenant_id LIMIT 20",
    )
    .bind(domain)
    .fetch_all(tx.conn())
    .await?)
}

/// A sign-in as it begins.
#[derive(Debug)]
pub(super) struct NewFlow<'a> {
    pub(super) state: [u8; 32],
    pub(super) browser: [u8; 32],
    pub(super) provider: Uuid,
    /// Who links, and in which session; none: a sign-in.
    pub(super) link: Option<(PersonId, Uuid)>,
    pub(super) next: &'a str,
    /// Where it came from.
    pub(super) network: &'a str,
    pub(super) now: Timestamp,
    pub(super) expires: Timestamp,
}

pub(super) async fn insert_flow(tx: &mut TenantTx, new: &NewFlow<'_>) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.sso_flows (tenant_id, state_hash, browser_hash, provider_id, purpose, person_id, session_id,
           next, began_at, expires_at, network)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(tenant)
    .bind(new.state.as_slice())
    .bind(new.browser.as_slice())
    .bind(new.provider)
    .bind(if new.link.is_some() { "link" } else { "sign_in" })
    .bind(new.link.map(|(person, _)| person.as_uuid()))
    .bind(new.link.map(|(_, session)| session))
    .bind(new.next)
    .bind(utc(new.now))
    .bind(utc(new.expires))
    .bind(new.network)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A sign-in that is under way.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct FlowRow {
    pub(super) provider_id: Uuid,
    pub(super) browser_hash: Vec<u8>,
    pub(super) person_id: Option<Uuid>,
    pub(super) session_id: Option<Uuid>,
    pub(super) next: String,
    pub(super) expires_at: OffsetDateTime,
    pub(super) used_at: Option<OffsetDateTime>,
}

/// Finds a sign-in and locks it, so that of two who come back with one state one comes second.
pub(super) async fn lock_flow(tx: &mut TenantTx, state: &[u8; 32]) -> Result<Option<FlowRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(
        "SELECT provider_id, browser_hash, person_id, session_id, next, expires_at, used_at FROM app.sso_flows
         WHERE tenant_id = $1 AND state_hash = $2 FOR UPDATE",
    )
    .bind(tenant)
    .bind(state.as_slice())
    .fetch_optional(tx.conn())
    .await?)
}

pub(super) async fn use_flow(tx: &mut TenantTx, state: &[u8; 32], now: Timestamp) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "UPDATE app.sso_flows SET used_at = $3 WHERE tenant_id = $1 AND state_hash = $2 AND used_at IS NULL";
    let done = sqlx::query(sql).bind(tenant).bind(state.as_slice()).bind(utc(now)).execute(tx.conn()).await?;
    Ok(done.rows_affected() == 1)
}

/// Removes what is over; answers how many sign-ins are under way: of this network, and of all.
pub(super) async fn prune(
    tx: &mut TenantTx,
    network: &str,
    now: Timestamp,
    window: Timestamp,
) -> Result<(i64, i64), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query("DELETE FROM app.sso_flows WHERE tenant_id = $1 AND expires_at < $2")
        .bind(tenant)
        .bind(utc(now))
        .execute(tx.conn())
        .await?;
    sqlx::query("DELETE FROM app.sso_failures WHERE tenant_id = $1 AND last_at < $2")
        .bind(tenant)
        .bind(utc(window))
        .execute(tx.conn())
        .await?;
    let count = "SELECT count(*) FILTER (WHERE network = $2), count(*) FROM app.sso_flows WHERE tenant_id = $1";
    Ok(sqlx::query_as(count).bind(tenant).bind(network).fetch_one(tx.conn()).await?)
}

/// Counts a failure: how many there are in the window now.
pub(super) async fn count_failure(
    tx: &mut TenantTx,
    provider: Uuid,
    source: &str,
    now: Timestamp,
    window: Timestamp,
) -> Result<i32, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_scalar(
        "INSERT INTO app.sso_failures AS f (tenant_id, provider_id, source, failures, window_starts, last_at)
         VALUES ($1, $2, $3, 1, $4, $4)
         ON CONFLICT (tenant_id, provider_id, source) DO UPDATE SET
           failures = CASE WHEN f.window_starts < $5 THEN 1 ELSE least(f.failures + 1, 1000000) END,
           window_starts = CASE WHEN f.window_starts < $5 THEN $4 ELSE f.window_starts END, last_at = $4
         RETURNING failures",
    )
    .bind(tenant)
    .bind(provider)
    .bind(source)
    .bind(utc(now))
    .bind(utc(window))
    .fetch_one(tx.conn())
    .await?)
}

/// Failures of a source, and when the last one was.
pub(super) async fn failures(
    tx: &mut TenantTx,
    provider: Uuid,
    source: &str,
) -> Result<Option<(i32, OffsetDateTime)>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(
        "SELECT failures, last_at FROM app.sso_failures WHERE tenant_id = $1 AND provider_id = $2 AND source = $3",
    )
    .bind(tenant)
    .bind(provider)
    .bind(source)
    .fetch_optional(tx.conn())
    .await?)
}

/// Forgets the failures of these sources: a success came.
pub(super) async fn forget_failures(tx: &mut TenantTx, provider: Uuid, sources: &[String]) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query("DELETE FROM app.sso_failures WHERE tenant_id = $1 AND provider_id = $2 AND source = ANY ($3)")
        .bind(tenant)
        .bind(provider)
        .bind(sources)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Who an identity is here, and whether they still belong.
pub(super) async fn person_of(tx: &mut TenantTx, issuer: &str, subject: &str) -> Result<Option<(Uuid, bool)>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(
        "SELECT i.person_id, m.ended_at IS NULL FROM app.sso_identities i
         JOIN app.memberships m ON m.tenant_id = i.tenant_id AND m.person_id = i.person_id
         WHERE i.tenant_id = $1 AND i.issuer = $2 AND i.subject = $3",
    )
    .bind(tenant)
    .bind(issuer)
    .bind(subject)
    .fetch_optional(tx.conn())
    .await?)
}

pub(super) async fn link(
    tx: &mut TenantTx,
    provider: Uuid,
    (issuer, subject): (&str, &str),
    person: PersonId,
    now: Timestamp,
) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.sso_identities (tenant_id, issuer, subject, provider_id, person_id, linked_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(tenant)
    .bind(issuer)
    .bind(subject)
    .bind(provider)
    .bind(person.as_uuid())
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn used(tx: &mut TenantTx, issuer: &str, subject: &str, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "UPDATE app.sso_identities SET last_used_at = $4 WHERE tenant_id = $1 AND issuer = $2 AND subject = $3",
    )
    .bind(tenant)
    .bind(issuer)
    .bind(subject)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The providers that a person is linked to.
pub(super) async fn links_of(tx: &mut TenantTx, person: PersonId) -> Result<Vec<Uuid>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT DISTINCT provider_id FROM app.sso_identities WHERE tenant_id = $1 AND person_id = $2";
    Ok(sqlx::query_scalar(sql).bind(tenant).bind(person.as_uuid()).fetch_all(tx.conn()).await?)
}

pub(super) async fn unlink(tx: &mut TenantTx, provider: Uuid, person: PersonId) -> Result<u64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "DELETE FROM app.sso_identities WHERE tenant_id = $1 AND provider_id = $2 AND person_id = $3";
    let done = sqlx::query(sql).bind(tenant).bind(provider).bind(person.as_uuid()).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}

/// Takes a person's links away that were made until `until`.
pub(super) async fn unlink_all(tx: &mut TenantTx, person: PersonId, until: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "DELETE FROM app.sso_identities WHERE tenant_id = $1 AND person_id = $2 AND linked_at <= $3";
    sqlx::query(sql).bind(tenant).bind(person.as_uuid()).bind(utc(until)).execute(tx.conn()).await?;
    Ok(())
}

/// The label of a provider that is the only way in, if there is one.
pub(super) async fn enforced(tx: &mut TenantTx) -> Result<Option<String>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_scalar(
        "SELECT label FROM app.sso_providers WHERE tenant_id = $1 AND enabled AND enforced ORDER BY label LIMIT 1",
    )
    .bind(tenant)
    .fetch_optional(tx.conn())
    .await?)
}

/// Whether somebody is an owner.
pub(super) async fn is_owner(tx: &mut TenantTx, person: PersonId) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM app.assignments WHERE tenant_id = $1 AND person_id = $2 AND built_in = 'owner')",
    )
    .bind(tenant)
    .bind(person.as_uuid())
    .fetch_one(tx.conn())
    .await?)
}

/// The company's owners.
pub(super) async fn owners(tx: &mut TenantTx) -> Result<Vec<Uuid>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_scalar(
        "SELECT DISTINCT person_id FROM app.assignments WHERE tenant_id = $1 AND built_in = 'owner' LIMIT 1000",
    )
    .bind(tenant)
    .fetch_all(tx.conn())
    .await?)
}
