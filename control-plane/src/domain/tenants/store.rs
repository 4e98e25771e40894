//! The SQL of tenants. [`census`] counts rows of other nouns, and reads nothing of them.

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::types::{Account, Census};
use crate::clock::utc;
use crate::db::{DbError, SystemTx, TenantTx};

pub(super) async fn insert(tx: &mut TenantTx, name: &str, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query("INSERT INTO app.tenants (tenant_id, name, created_at) VALUES ($1, $2, $3)")
        .bind(tenant)
        .bind(name)
        .bind(utc(now))
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn name(tx: &mut TenantTx) -> Result<Option<String>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let name = sqlx::query_scalar("SELECT name FROM app.tenants WHERE tenant_id = $1").bind(tenant);
    Ok(name.fetch_optional(tx.conn()).await?)
}

pub(super) async fn of_person_with_name(
    tx: &mut SystemTx,
    person: PersonId,
    name: &str,
) -> Result<Option<TenantId>, DbError> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "SELECT t.tenant_id FROM app.memberships m JOIN app.tenants t USING (tenant_id)
         WHERE m.person_id = $1 AND m.ended_at IS NULL AND t.closed_at IS NULL AND lower(t.name) = lower($2)
         ORDER BY t.tenant_id LIMIT 1",
    )
    .bind(person.as_uuid())
    .bind(name)
    .fetch_optional(tx.conn())
    .await?;
    Ok(id.map(TenantId::from_uuid))
}

pub(super) async fn all(tx: &mut SystemTx) -> Result<Vec<TenantId>, DbError> {
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT tenant_id FROM app.tenants ORDER BY tenant_id").fetch_all(tx.conn()).await?;
    Ok(ids.into_iter().map(TenantId::from_uuid).collect())
}

/// The account; locked, so that of two who change it one comes second.
pub(super) async fn account(tx: &mut TenantTx, lock: bool) -> Result<Option<Account>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = if lock {
        "SELECT name, created_at, suspended_at, suspended_reason, closes_at, closed_at FROM app.tenants
         WHERE tenant_id = $1 FOR UPDATE"
    } else {
        "SELECT name, created_at, suspended_at, suspended_reason, closes_at, closed_at FROM app.tenants
         WHERE tenant_id = $1"
    };
    let row: Option<AccountRow> = sqlx::query_as(sql).bind(tenant).fetch_optional(tx.conn()).await?;
    Ok(row.map(AccountRow::read))
}

/// The account's columns.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct AccountRow {
    name: String,
    created_at: OffsetDateTime,
    suspended_at: Option<OffsetDateTime>,
    suspended_reason: Option<String>,
    closes_at: Option<OffsetDateTime>,
    closed_at: Option<OffsetDateTime>,
}

impl AccountRow {
    pub(super) fn read(self) -> Account {
        let Self { name, created_at, suspended_at, suspended_reason, closes_at, closed_at } = self;
        Account { name, created_at, suspended_at, suspended_reason, closes_at, closed_at }
    }
}

/// Writes how the account stands.
pub(super) async fn set_account(tx: &mut TenantTx, to: &Account, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.tenants SET suspended_at = $2, suspended_reason = $3, closes_at = $4, closed_at = $5,
                closing_asked_at = CASE WHEN $4::timestamptz IS NULL THEN NULL ELSE coalesce(closing_asked_at, $6) END
         WHERE tenant_id = $1",
    )
    .bind(tenant)
    .bind(to.suspended_at)
    .bind(&to.suspended_reason)
    .bind(to.closes_at)
    .bind(to.closed_at)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::NotFound) }
}

/// Who owns the company: those to be told.
pub(super) async fn owners(tx: &mut TenantTx) -> Result<Vec<PersonId>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT DISTINCT a.person_id FROM app.assignments a
         JOIN app.memberships m ON m.tenant_id = a.tenant_id AND m.person_id = a.person_id AND m.ended_at IS NULL
         WHERE a.tenant_id = $1 AND a.built_in = 'owner' AND a.reach = 'tenant' ORDER BY a.person_id LIMIT 50",
    )
    .bind(tenant)
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(PersonId::from_uuid).collect())
}

/// Ends every session that stands.
pub(super) async fn end_sessions(tx: &mut TenantTx, now: Timestamp) -> Result<u64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(
        "UPDATE app.sessions SET ended_at = $2, ended_reason = 'ended_by_company' WHERE tenant_id = $1 AND ended_at IS NULL",
    )
    .bind(tenant)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

#[derive(sqlx::FromRow)]
struct CensusRow {
    shops: i64,
    nodes: i64,
    people: i64,
    products: i64,
    claims: i64,
    last_active_at: Option<OffsetDateTime>,
}

pub(super) async fn census(tx: &mut TenantTx) -> Result<Census, DbError> {
    let tenant = tx.tenant().as_uuid();
    let row: CensusRow = sqlx::query_as(
        "SELECT (SELECT count(*) FROM app.shops WHERE tenant_id = $1 AND deleted_at IS NULL) AS shops,
                (SELECT count(*) FROM app.nodes WHERE tenant_id = $1 AND retired_at IS NULL) AS nodes,
                (SELECT count(*) FROM app.memberships WHERE tenant_id = $1 AND ended_at IS NULL) AS people,
                (SELECT count(*) FROM (SELECT FROM app.products WHERE tenant_id = $1 AND deleted_at IS NULL LIMIT 10000) p)
                    AS products,
                (SELECT count(*) FROM app.claims WHERE tenant_id = $1 AND used_at IS NULL) AS claims,
                greatest((SELECT max(last_seen_at) FROM app.node_contacts WHERE tenant_id = $1),
                         (SELECT max(coalesce(used_at, created_at)) FROM app.sessions WHERE tenant_id = $1))
                    AS last_active_at",
    )
    .bind(tenant)
    .fetch_one(tx.conn())
    .await?;
    let CensusRow { shops, nodes, people, products, claims, last_active_at } = row;
    Ok(Census { shops, nodes, people, products, claims, last_active_at })
}

/// What a company says of itself.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Words {
    pub(super) display_name: Option<String>,
    pub(super) accent: Option<String>,
    pub(super) locale: String,
    pub(super) logo: bool,
    pub(super) version: i64,
}

pub(super) async fn words(tx: &mut TenantTx) -> Result<Option<Words>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT display_name, accent, locale, logo IS NOT NULL AS logo, version FROM app.companies WHERE tenant_id = $1";
    Ok(sqlx::query_as(sql).bind(tenant).fetch_optional(tx.conn()).await?)
}

pub(super) async fn set_words(tx: &mut TenantTx, to: &Words, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.companies AS c (tenant_id, display_name, accent, locale, version, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id) DO UPDATE SET display_name = excluded.display_name, accent = excluded.accent,
             locale = excluded.locale, version = excluded.version, updated_at = excluded.updated_at",
    )
    .bind(tenant)
    .bind(&to.display_name)
    .bind(&to.accent)
    .bind(&to.locale)
    .bind(to.version)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn rename(tx: &mut TenantTx, name: &str) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query("UPDATE app.tenants SET name = $2 WHERE tenant_id = $1")
        .bind(tenant)
        .bind(name)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn logo(tx: &mut TenantTx) -> Result<Option<Vec<u8>>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT logo FROM app.companies WHERE tenant_id = $1 AND logo IS NOT NULL";
    Ok(sqlx::query_scalar(sql).bind(tenant).fetch_optional(tx.conn()).await?)
}

/// Puts a logo, or takes it away. The row is there.
pub(super) async fn set_logo(tx: &mut TenantTx, logo: Option<&[u8]>) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query("UPDATE app.companies SET logo = $2 WHERE tenant_id = $1")
        .bind(tenant)
        .bind(logo)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A tenant in the list of all.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Listed {
    pub(super) tenant_id: Uuid,
    #[sqlx(flatten)]
    pub(super) account: AccountRow,
}

/// Tenants by name, but the platform's own: those whose name contains `search`, in a state, behind a name and id.
pub(super) async fn list(
    tx: &mut SystemTx,
    but: TenantId,
    search: &str,
    state: Option<&str>,
    after: Option<&(String, Uuid)>,
    limit: i64,
) -> Result<Vec<Listed>, DbError> {
    Ok(sqlx::query_as(
        "SELECT tenant_id, name, created_at, suspended_at, suspended_reason, closes_at, closed_at FROM app.tenants t
         WHERE tenant_id <> $1
           AND ($2 = '' OR strpos(lower(name), lower($2)) > 0 OR tenant_id::text = lower($2))
           AND ($3::text IS NULL OR $3 = CASE WHEN closed_at IS NOT NULL THEN 'closed' WHEN suspended_at IS NOT NULL
                THEN 'suspended' WHEN closes_at IS NOT NULL THEN 'closing' ELSE 'active' END)
           AND ($4::text IS NULL OR (name, tenant_id) > ($4, $5))
         ORDER BY name, tenant_id LIMIT $6",
    )
    .bind(but.as_uuid())
    .bind(search)
    .bind(state)
    .bind(after.map(|(name, _)| name))
    .bind(after.map(|(_, id)| id))
    .bind(limit)
    .fetch_all(tx.conn())
    .await?)
}

impl<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> for Account {
    fn from_row(row: &'r sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
        use sqlx::Row as _;
        Ok(Self {
            name: row.try_get("name")?,
            created_at: row.try_get("created_at")?,
            suspended_at: row.try_get("suspended_at")?,
            suspended_reason: row.try_get("suspended_reason")?,
            closes_at: row.try_get("closes_at")?,
            closed_at: row.try_get("closed_at")?,
        })
    }
}

impl<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> for Census {
    fn from_row(row: &'r sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
        use sqlx::Row as _;
        Ok(Self {
            shops: row.try_get("shops")?,
            nodes: row.try_get("nodes")?,
            people: row.try_get("people")?,
            products: row.try_get("products")?,
            claims: row.try_get("claims")?,
            last_active_at: row.try_get("last_active_at")?,
        })
    }
}
