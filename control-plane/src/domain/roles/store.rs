//! The SQL of roles.

use protocol::id::{PersonId, ShopId};
use protocol::timestamp::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::types::{Assignment, AssignmentView, At, Role, RoleBody};
use crate::clock::utc;
use crate::db::{DbError, TenantTx};

/// A row of `app.roles` with what it allows.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct RoleRow {
    pub(super) role_id: Uuid,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) wants_mfa: bool,
    pub(super) version: i64,
    pub(super) permissions: Vec<String>,
    pub(super) holders: i64,
}

#[derive(sqlx::FromRow)]
struct HeldRow {
    id: Uuid,
    person_id: Uuid,
    role: String,
    role_name: String,
    region_id: Option<Uuid>,
    region_name: Option<String>,
    shop_id: Option<Uuid>,
    shop_name: Option<String>,
    given_at: OffsetDateTime,
}

impl From<HeldRow> for AssignmentView {
    fn from(row: HeldRow) -> Self {
        let HeldRow { id, person_id, role, role_name, region_id, region_name, shop_id, shop_name, given_at } = row;
        Self { id, person_id, role, role_name, region_id, region_name, shop_id, shop_name, given_at }
    }
}

const ROLES: &str = "SELECT r.role_id, r.name, r.description, r.wants_mfa, r.version,
       ARRAY(SELECT p.permission FROM app.role_permissions p WHERE p.tenant_id = r.tenant_id AND p.role_id = r.role_id)
           AS permissions,
       (SELECT count(DISTINCT a.person_id) FROM app.assignments a
        WHERE a.tenant_id = r.tenant_id AND a.role_id = r.role_id) AS holders
FROM app.roles r WHERE r.tenant_id = $1 AND ($2::uuid IS NULL OR r.role_id = $2) ORDER BY r.name, r.role_id";
const HELD: &str = "SELECT a.assignment_id AS id, a.person_id, coalesce(a.built_in, a.role_id::text) AS role,
       coalesce(r.name, '') AS role_name, a.at_region AS region_id, g.name AS region_name,
       a.at_shop AS shop_id, s.name AS shop_name, a.created_at AS given_at
FROM app.assignments a
LEFT JOIN app.roles r ON r.tenant_id = a.tenant_id AND r.role_id = a.role_id
LEFT JOIN app.regions g ON g.tenant_id = a.tenant_id AND g.region_id = a.at_region
LEFT JOIN app.shops s ON s.tenant_id = a.tenant_id AND s.shop_id = a.at_shop
WHERE a.tenant_id = $1 AND ($2::uuid IS NULL OR a.person_id = $2) AND ($3::uuid IS NULL OR a.assignment_id = $3)
    AND ($4::uuid IS NULL OR a.assignment_id > $4)
ORDER BY a.assignment_id LIMIT $5";

pub(super) async fn insert(
    tx: &mut TenantTx,
    id: Uuid,
    new: &Assignment,
    by: Option<PersonId>,
    now: Timestamp,
) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let (built_in, role) = match new.role {
        Role::BuiltIn(role) => (Some(role.name()), None),
        Role::Own(id) => (None, Some(id)),
    };
    let (reach, region, shop) = match new.at {
        At::Tenant => ("tenant", None, None),
        At::Region(region) => ("region", Some(region), None),
        At::Shop(shop) => ("shop", None, Some(shop)),
    };
    let done = sqlx::query(
        "INSERT INTO app.assignments
             (tenant_id, assignment_id, person_id, built_in, role_id, reach, at_region, at_shop, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .bind(tenant)
    .bind(id)
    .bind(new.person.as_uuid())
    .bind(built_in)
    .bind(role)
    .bind(reach)
    .bind(region)
    .bind(shop.map(|shop| shop.as_uuid()))
    .bind(utc(now))
    .bind(by.map(|person| person.as_uuid()))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn delete(tx: &mut TenantTx, id: Uuid) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query("DELETE FROM app.assignments WHERE tenant_id = $1 AND assignment_id = $2")
        .bind(tenant)
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Everything that somebody holds; answers how much it was.
pub(super) async fn delete_of(tx: &mut TenantTx, person: PersonId) -> Result<u64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query("DELETE FROM app.assignments WHERE tenant_id = $1 AND person_id = $2")
        .bind(tenant)
        .bind(person.as_uuid())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}

/// Assignments of one person, one by its id, or all behind `after`.
pub(super) async fn held(
    tx: &mut TenantTx,
    person: Option<Uuid>,
    id: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<AssignmentView>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let rows: Vec<HeldRow> =
        sqlx::query_as(HELD).bind(tenant).bind(person).bind(id).bind(after).bind(limit).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(AssignmentView::from).collect())
}

/// Members who own the company.
pub(super) async fn owners(tx: &mut TenantTx) -> Result<i64, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_scalar(
        "SELECT count(DISTINCT a.person_id) FROM app.assignments a
         JOIN app.memberships m ON m.tenant_id = a.tenant_id AND m.person_id = a.person_id AND m.ended_at IS NULL
         WHERE a.tenant_id = $1 AND a.built_in IN ('owner', 'platform_admin') AND a.reach = 'tenant'",
    )
    .bind(tenant)
    .fetch_one(tx.conn())
    .await?)
}

pub(super) async fn is_member(tx: &mut TenantTx, person: Uuid) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let found: Option<bool> = sqlx::query_scalar(
        "SELECT true FROM app.memberships WHERE tenant_id = $1 AND person_id = $2 AND ended_at IS NULL",
    )
    .bind(tenant)
    .bind(person)
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.is_some())
}

/// How many people hold each built-in role.
pub(super) async fn built_in_holders(tx: &mut TenantTx) -> Result<Vec<(String, i64)>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(
        "SELECT a.built_in, count(DISTINCT a.person_id) FROM app.assignments a
         JOIN app.memberships m ON m.tenant_id = a.tenant_id AND m.person_id = a.person_id AND m.ended_at IS NULL
         WHERE a.tenant_id = $1 AND a.built_in IS NOT NULL GROUP BY a.built_in",
    )
    .bind(tenant)
    .fetch_all(tx.conn())
    .await?)
}

/// The tenant's own roles, or one of them.
pub(super) async fn roles(tx: &mut TenantTx, id: Option<Uuid>) -> Result<Vec<RoleRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(ROLES).bind(tenant).bind(id).fetch_all(tx.conn()).await?)
}

/// Locks a role until the transaction ends; its version.
pub(super) async fn lock(tx: &mut TenantTx, id: Uuid) -> Result<Option<i64>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT version FROM app.roles WHERE tenant_id = $1 AND role_id = $2 FOR UPDATE";
    Ok(sqlx::query_scalar(sql).bind(tenant).bind(id).fetch_optional(tx.conn()).await?)
}

/// Writes a role: a new one, or the next version of one that is there.
pub(super) async fn write(tx: &mut TenantTx, id: Uuid, role: &RoleBody, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.roles (tenant_id, role_id, name, description, wants_mfa, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 1, $6, $6)
         ON CONFLICT (tenant_id, role_id) DO UPDATE SET name = excluded.name, description = excluded.description,
             wants_mfa = excluded.wants_mfa, version = app.roles.version + 1, updated_at = excluded.updated_at",
    )
    .bind(tenant)
    .bind(id)
    .bind(&role.name)
    .bind(&role.description)
    .bind(role.wants_mfa)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    sqlx::query("DELETE FROM app.role_permissions WHERE tenant_id = $1 AND role_id = $2")
        .bind(tenant)
        .bind(id)
        .execute(tx.conn())
        .await?;
    let names: Vec<&str> = role.permissions.iter().map(|permission| permission.name()).collect();
    sqlx::query(
        "INSERT INTO app.role_permissions (tenant_id, role_id, permission)
         SELECT DISTINCT $1::uuid, $2::uuid, name FROM unnest($3::text[]) AS name",
    )
    .bind(tenant)
    .bind(id)
    .bind(names)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn remove(tx: &mut TenantTx, id: Uuid) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query("DELETE FROM app.roles WHERE tenant_id = $1 AND role_id = $2")
        .bind(tenant)
        .bind(id)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::NotFound) }
}

/// The shops of a region; none if there is no such region.
pub(super) async fn region_shops(tx: &mut TenantTx, region: Uuid) -> Result<Option<Vec<ShopId>>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let shops: Option<Vec<Uuid>> = sqlx::query_scalar(
        "SELECT ARRAY(SELECT s.shop_id FROM app.shops s
                      WHERE s.tenant_id = g.tenant_id AND s.region_id = g.region_id AND s.deleted_at IS NULL)
         FROM app.regions g WHERE g.tenant_id = $1 AND g.region_id = $2",
    )
    .bind(tenant)
    .bind(region)
    .fetch_optional(tx.conn())
    .await?;
    Ok(shops.map(|shops| shops.into_iter().map(ShopId::from_uuid).collect()))
}

/// The ids of the roles that are held for a region.
pub(super) async fn of_region(tx: &mut TenantTx, region: Uuid) -> Result<Vec<String>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT DISTINCT coalesce(built_in, role_id::text) FROM app.assignments WHERE tenant_id = $1 AND at_region = $2";
    Ok(sqlx::query_scalar(sql).bind(tenant).bind(region).fetch_all(tx.conn()).await?)
}

pub(super) async fn shop_exists(tx: &mut TenantTx, shop: ShopId) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT true FROM app.shops WHERE tenant_id = $1 AND shop_id = $2 AND deleted_at IS NULL";
    let found: Option<bool> =
        sqlx::query_scalar(sql).bind(tenant).bind(shop.as_uuid()).fetch_optional(tx.conn()).await?;
    Ok(found.is_some())
}
