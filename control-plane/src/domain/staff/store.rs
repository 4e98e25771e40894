//! The SQL of staff.

use protocol::id::{ShopId, StaffId};
use protocol::timestamp::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::types::ShopRules;
use crate::clock::utc;
use crate::db::{DbError, TenantTx};

/// A row of `app.staff` with the shops of it that the transaction sees.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Row {
    pub(super) staff_id: Uuid,
    pub(super) name: String,
    pub(super) short_name: String,
    pub(super) person_id: Option<Uuid>,
    pub(super) role: String,
    pub(super) rights_added: i32,
    pub(super) rights_removed: i32,
    pub(super) discount_ppm: Option<i32>,
    pub(super) discount_minor: Option<i64>,
    pub(super) all_shops: bool,
    pub(super) shop_count: i32,
    pub(super) pin_salt: Option<Vec<u8>>,
    pub(super) pin_sealed: Option<Vec<u8>>,
    pub(super) version: i64,
    pub(super) ended_at: Option<OffsetDateTime>,
    pub(super) shop_ids: Vec<Uuid>,
}

const ONE: &str = "SELECT s.staff_id, s.name, s.short_name, s.person_id, s.role, s.rights_added, s.rights_removed,
       s.discount_ppm, s.discount_minor, s.all_shops, s.shop_count, s.pin_salt, s.pin_sealed, s.version, s.ended_at,
       ARRAY(SELECT p.shop_id FROM app.staff_shops p WHERE p.tenant_id = s.tenant_id AND p.staff_id = s.staff_id
             ORDER BY p.shop_id) AS shop_ids
FROM app.staff s WHERE s.tenant_id = $1 AND s.staff_id = $2";
const ONE_LOCKED: &str =
    "SELECT s.staff_id, s.name, s.short_name, s.person_id, s.role, s.rights_added, s.rights_removed,
       s.discount_ppm, s.discount_minor, s.all_shops, s.shop_count, s.pin_salt, s.pin_sealed, s.version, s.ended_at,
       ARRAY(SELECT p.shop_id FROM app.staff_shops p WHERE p.tenant_id = s.tenant_id AND p.staff_id = s.staff_id
             ORDER BY p.shop_id) AS shop_ids
FROM app.staff s WHERE s.tenant_id = $1 AND s.staff_id = $2 FOR UPDATE OF s";
const PAGE: &str = "SELECT s.staff_id, s.name, s.short_name, s.person_id, s.role, s.rights_added, s.rights_removed,
       s.discount_ppm, s.discount_minor, s.all_shops, s.shop_count, s.pin_salt, s.pin_sealed, s.version, s.ended_at,
       ARRAY(SELECT p.shop_id FROM app.staff_shops p WHERE p.tenant_id = s.tenant_id AND p.staff_id = s.staff_id
             ORDER BY p.shop_id) AS shop_ids
FROM app.staff s
WHERE s.tenant_id = $1 AND ($2 OR s.ended_at IS NULL) AND (s.name, s.staff_id) > ($3, $4)
  AND ($5::uuid[] IS NULL OR s.all_shops OR EXISTS (
        SELECT FROM app.staff_shops p WHERE p.tenant_id = s.tenant_id AND p.staff_id = s.staff_id
          AND p.shop_id = ANY ($5)))
ORDER BY s.name, s.staff_id LIMIT $6";
const OF_SHOP: &str = "SELECT s.staff_id, s.name, s.short_name, s.person_id, s.role, s.rights_added, s.rights_removed,
       s.discount_ppm, s.discount_minor, s.all_shops, s.shop_count, s.pin_salt, s.pin_sealed, s.version, s.ended_at,
       ARRAY[]::uuid[] AS shop_ids
FROM app.staff s
WHERE s.tenant_id = $1 AND s.ended_at IS NULL AND (s.all_shops OR EXISTS (
        SELECT FROM app.staff_shops p WHERE p.tenant_id = s.tenant_id AND p.staff_id = s.staff_id
          AND p.shop_id = $2))
ORDER BY s.name, s.staff_id LIMIT $3";
const BESIDE: &str = "SELECT s.staff_id, s.name, s.short_name, s.person_id, s.role, s.rights_added, s.rights_removed,
       s.discount_ppm, s.discount_minor, s.all_shops, s.shop_count, s.pin_salt, s.pin_sealed, s.version, s.ended_at,
       ARRAY[]::uuid[] AS shop_ids
FROM app.staff s
WHERE s.tenant_id = $1 AND s.staff_id <> $2 AND s.ended_at IS NULL AND s.pin_salt IS NOT NULL
  AND ($3 OR s.all_shops OR EXISTS (
        SELECT FROM app.staff_shops p WHERE p.tenant_id = s.tenant_id AND p.staff_id = s.staff_id
          AND p.shop_id = ANY ($4)))
ORDER BY s.staff_id LIMIT $5";
const INSERT: &str = "INSERT INTO app.staff (tenant_id, staff_id, name, short_name, person_id, role, rights_added,
       rights_removed, discount_ppm, discount_minor, all_shops, shop_count, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, $13)";
const UPDATE: &str = "UPDATE app.staff SET name = $3, short_name = $4, person_id = $5, role = $6, rights_added = $7,
       rights_removed = $8, discount_ppm = $9, discount_minor = $10, all_shops = $11, shop_count = $12,
       version = version + 1, updated_at = $13
WHERE tenant_id = $1 AND staff_id = $2";
const BUMP: &str = "INSERT INTO app.staff_rules (tenant_id, shop_id, version, rules_version, updated_at)
SELECT s.tenant_id, s.shop_id, 2, 1, $3 FROM app.shops s
WHERE s.tenant_id = $1 AND ($2::uuid[] IS NULL OR s.shop_id = ANY ($2)) ORDER BY s.shop_id
ON CONFLICT (tenant_id, shop_id) DO UPDATE SET version = staff_rules.version + 1";
const SET_RULES: &str = "INSERT INTO app.staff_rules (tenant_id, shop_id, version, rules_version, cashier_required,
       idle_minutes, void_line_above_minor, void_ticket_above_minor, refund_above_minor, no_sale,
       discount_above_ppm, discount_above_minor, updated_at)
VALUES ($1, $2, 2, 2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (tenant_id, shop_id) DO UPDATE SET version = staff_rules.version + 1,
       rules_version = staff_rules.rules_version + 1, cashier_required = $3, idle_minutes = $4,
       void_line_above_minor = $5, void_ticket_above_minor = $6, refund_above_minor = $7, no_sale = $8,
       discount_above_ppm = $9, discount_above_minor = $10, updated_at = $11
WHERE staff_rules.rules_version = $12";

/// What is written of somebody.
#[derive(Debug)]
pub(super) struct Columns<'a> {
    pub(super) name: &'a str,
    pub(super) short_name: &'a str,
    pub(super) person_id: Option<Uuid>,
    pub(super) role: &'static str,
    pub(super) rights_added: i32,
    pub(super) rights_removed: i32,
    pub(super) discount_ppm: Option<i32>,
    pub(super) discount_minor: Option<i64>,
    pub(super) all_shops: bool,
    pub(super) shops: &'a [Uuid],
}

async fn write(
    tx: &mut TenantTx,
    sql: &'static str,
    id: StaffId,
    row: &Columns<'_>,
    now: Timestamp,
) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(sql)
        .bind(tenant)
        .bind(id.as_uuid())
        .bind(row.name)
        .bind(row.short_name)
        .bind(row.person_id)
        .bind(row.role)
        .bind(row.rights_added)
        .bind(row.rights_removed)
        .bind(row.discount_ppm)
        .bind(row.discount_minor)
        .bind(row.all_shops)
        .bind(i32::try_from(row.shops.len()).unwrap_or(i32::MAX))
        .bind(utc(now))
        .execute(tx.conn())
        .await?;
    sqlx::query("DELETE FROM app.staff_shops WHERE tenant_id = $1 AND staff_id = $2 AND NOT shop_id = ANY ($3)")
        .bind(tenant)
        .bind(id.as_uuid())
        .bind(row.shops)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "INSERT INTO app.staff_shops (tenant_id, staff_id, shop_id) SELECT $1, $2, shop FROM unnest($3::uuid[]) shop
         ON CONFLICT (tenant_id, staff_id, shop_id) DO NOTHING",
    )
    .bind(tenant)
    .bind(id.as_uuid())
    .bind(row.shops)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn insert(tx: &mut TenantTx, id: StaffId, row: &Columns<'_>, now: Timestamp) -> Result<(), DbError> {
    write(tx, INSERT, id, row, now).await
}

pub(super) async fn update(tx: &mut TenantTx, id: StaffId, row: &Columns<'_>, now: Timestamp) -> Result<(), DbError> {
    write(tx, UPDATE, id, row, now).await
}

/// `lock` holds the row until the end of the transaction.
pub(super) async fn get(tx: &mut TenantTx, id: StaffId, lock: bool) -> Result<Option<Row>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = if lock { ONE_LOCKED } else { ONE };
    Ok(sqlx::query_as(sql).bind(tenant).bind(id.as_uuid()).fetch_optional(tx.conn()).await?)
}

/// By name; of some shops only where `shops` says which.
pub(super) async fn page(
    tx: &mut TenantTx,
    with_ended: bool,
    after: (&str, Uuid),
    shops: Option<&[Uuid]>,
    limit: i64,
) -> Result<Vec<Row>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let query = sqlx::query_as(PAGE).bind(tenant).bind(with_ended).bind(after.0).bind(after.1).bind(shops).bind(limit);
    Ok(query.fetch_all(tx.conn()).await?)
}

/// Everybody who works in a shop.
pub(super) async fn of_shop(tx: &mut TenantTx, shop: ShopId, limit: i64) -> Result<Vec<Row>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(OF_SHOP).bind(tenant).bind(shop.as_uuid()).bind(limit).fetch_all(tx.conn()).await?)
}

/// Others with a PIN who share a shop.
pub(super) async fn beside(
    tx: &mut TenantTx,
    id: StaffId,
    everywhere: bool,
    shops: &[Uuid],
    limit: i64,
) -> Result<Vec<Row>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let query = sqlx::query_as(BESIDE).bind(tenant).bind(id.as_uuid()).bind(everywhere).bind(shops).bind(limit);
    Ok(query.fetch_all(tx.conn()).await?)
}

/// How many work for the tenant.
pub(super) async fn count(tx: &mut TenantTx) -> Result<i64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT count(*) FROM app.staff WHERE tenant_id = $1 AND ended_at IS NULL";
    Ok(sqlx::query_scalar(sql).bind(tenant).fetch_one(tx.conn()).await?)
}

/// How many work in the fullest of these shops (all of them for none), beside those who work everywhere.
pub(super) async fn fullest(tx: &mut TenantTx, shops: Option<&[Uuid]>) -> Result<i64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT coalesce(max(people), 0) + (SELECT count(*) FROM app.staff
                      WHERE tenant_id = $1 AND all_shops AND ended_at IS NULL)
               FROM (SELECT count(*) AS people FROM app.staff_shops p JOIN app.staff s USING (tenant_id, staff_id)
                     WHERE p.tenant_id = $1 AND s.ended_at IS NULL AND NOT s.all_shops
                       AND ($2::uuid[] IS NULL OR p.shop_id = ANY ($2)) GROUP BY p.shop_id) of_shop";
    Ok(sqlx::query_scalar(sql).bind(tenant).bind(shops).fetch_one(tx.conn()).await?)
}

pub(super) async fn set_pin(
    tx: &mut TenantTx,
    id: StaffId,
    salt: &[u8],
    sealed: &[u8],
    now: Timestamp,
) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "UPDATE app.staff SET pin_salt = $3, pin_sealed = $4, pin_set_at = $5, version = version + 1,
                      updated_at = $5 WHERE tenant_id = $1 AND staff_id = $2";
    sqlx::query(sql).bind(tenant).bind(id.as_uuid()).bind(salt).bind(sealed).bind(utc(now)).execute(tx.conn()).await?;
    Ok(())
}

/// Ends somebody's time; their PIN is forgotten with it.
pub(super) async fn end(tx: &mut TenantTx, id: StaffId, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "UPDATE app.staff SET ended_at = $3, pin_salt = NULL, pin_sealed = NULL, pin_set_at = NULL,
                      version = version + 1, updated_at = $3 WHERE tenant_id = $1 AND staff_id = $2";
    sqlx::query(sql).bind(tenant).bind(id.as_uuid()).bind(utc(now)).execute(tx.conn()).await?;
    Ok(())
}

/// The people of these shops (of all for none) have a new version.
pub(super) async fn bump(tx: &mut TenantTx, shops: Option<&[Uuid]>, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(BUMP).bind(tenant).bind(shops).bind(utc(now)).execute(tx.conn()).await?;
    Ok(())
}

/// A row of `app.staff_rules`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct RulesRow {
    pub(super) version: i64,
    pub(super) rules_version: i64,
    pub(super) cashier_required: bool,
    pub(super) idle_minutes: i32,
    pub(super) void_line_above_minor: Option<i64>,
    pub(super) void_ticket_above_minor: Option<i64>,
    pub(super) refund_above_minor: Option<i64>,
    pub(super) no_sale: bool,
    pub(super) discount_above_ppm: Option<i32>,
    pub(super) discount_above_minor: Option<i64>,
}

/// The rules of a shop, if it ever had any.
pub(super) async fn rules(tx: &mut TenantTx, shop: ShopId) -> Result<Option<RulesRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT version, rules_version, cashier_required, idle_minutes, void_line_above_minor,
                      void_ticket_above_minor, refund_above_minor, no_sale, discount_above_ppm, discount_above_minor
               FROM app.staff_rules WHERE tenant_id = $1 AND shop_id = $2";
    Ok(sqlx::query_as(sql).bind(tenant).bind(shop.as_uuid()).fetch_optional(tx.conn()).await?)
}

/// Whether anybody works in every shop.
pub(super) async fn anybody_everywhere(tx: &mut TenantTx) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT EXISTS (SELECT FROM app.staff WHERE tenant_id = $1 AND all_shops AND ended_at IS NULL)";
    Ok(sqlx::query_scalar(sql).bind(tenant).fetch_one(tx.conn()).await?)
}

/// Sets the rules that were `seen` (0: none); the version of the people rises with them. False when others were set.
pub(super) async fn set_rules(
    tx: &mut TenantTx,
    shop: ShopId,
    seen: u64,
    rules: &ShopRules,
    now: Timestamp,
) -> Result<bool, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(SET_RULES)
        .bind(tenant)
        .bind(shop.as_uuid())
        .bind(rules.cashier_required)
        .bind(i32::from(rules.idle_minutes))
        .bind(rules.void_line_above_minor)
        .bind(rules.void_ticket_above_minor)
        .bind(rules.refund_above_minor)
        .bind(rules.no_sale)
        .bind(rules.discount_above_ppm.and_then(|ppm| i32::try_from(ppm).ok()))
        .bind(rules.discount_above_minor)
        .bind(utc(now))
        .bind(i64::try_from(seen).unwrap_or(i64::MAX))
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}
