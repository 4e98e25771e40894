//! The SQL of shops.

use protocol::id::ShopId;
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::types::NewShop;
use crate::clock::utc;
use crate::db::{DbError, TenantTx};

/// A row of `app.shops`.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct ShopRow {
    pub(super) shop_id: Uuid,
    pub(super) name: String,
    pub(super) time_zone: String,
    pub(super) day_starts_minutes: i16,
    pub(super) currency: String,
    pub(super) tax_mode: String,
    pub(super) tax_basis: String,
    pub(super) cash_step: i32,
    pub(super) late_entry: bool,
    pub(super) open_line_tax_rate_ppm: i32,
    pub(super) version: i64,
}

const COLUMNS_LIST: &str = "SELECT shop_id, name, time_zone, day_starts_minutes, currency, tax_mode, tax_basis,
       cash_step, late_entry, open_line_tax_rate_ppm, version
FROM app.shops WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY name, shop_id";
const COLUMNS_PAGE: &str = "SELECT shop_id, name, time_zone, day_starts_minutes, currency, tax_mode, tax_basis,
       cash_step, late_entry, open_line_tax_rate_ppm, version
FROM app.shops WHERE tenant_id = $1 AND deleted_at IS NULL AND ($2::text IS NULL OR (name, shop_id) > ($2, $3))
ORDER BY name, shop_id LIMIT $4";
const COLUMNS_ONE: &str = "SELECT shop_id, name, time_zone, day_starts_minutes, currency, tax_mode, tax_basis,
       cash_step, late_entry, open_line_tax_rate_ppm, version
FROM app.shops WHERE tenant_id = $1 AND shop_id = $2 AND deleted_at IS NULL";
const COLUMNS_LOCKED: &str = "SELECT shop_id, name, time_zone, day_starts_minutes, currency, tax_mode, tax_basis,
       cash_step, late_entry, open_line_tax_rate_ppm, version
FROM app.shops WHERE tenant_id = $1 AND shop_id = $2 AND deleted_at IS NULL FOR UPDATE";
const INSERT: &str =
    "INSERT INTO app.shops (tenant_id, shop_id, name, time_zone, day_starts_minutes, currency, tax_mode,
       tax_basis, cash_step, late_entry, open_line_tax_rate_ppm, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12, $12)";
const UPDATE: &str =
    "UPDATE app.shops SET name = $3, time_zone = $4, day_starts_minutes = $5, currency = $6, tax_mode = $7,
       tax_basis = $8, cash_step = $9, late_entry = $10, open_line_tax_rate_ppm = $11, version = version + 1,
       updated_at = $12
WHERE tenant_id = $1 AND shop_id = $2 AND deleted_at IS NULL";

/// Settings in the form of their columns.
#[derive(Debug)]
pub(super) struct Columns<'a> {
    pub(super) new: &'a NewShop,
    pub(super) day_starts_minutes: i16,
    pub(super) tax_mode: &'static str,
    pub(super) tax_basis: &'static str,
}

async fn write(
    tx: &mut TenantTx,
    sql: &'static str,
    shop: ShopId,
    columns: &Columns<'_>,
    now: Timestamp,
) -> Result<u64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query(sql)
        .bind(tenant)
        .bind(shop.as_uuid())
        .bind(columns.new.name.trim())
        .bind(&columns.new.timezone)
        .bind(columns.day_starts_minutes)
        .bind(&columns.new.currency)
        .bind(columns.tax_mode)
        .bind(columns.tax_basis)
        .bind(i32::from(columns.new.cash_step))
        .bind(columns.new.late_entry)
        .bind(i32::try_from(columns.new.open_line_tax_rate_ppm).unwrap_or(i32::MAX))
        .bind(utc(now))
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}

pub(super) async fn insert(
    tx: &mut TenantTx,
    shop: ShopId,
    columns: &Columns<'_>,
    now: Timestamp,
) -> Result<(), DbError> {
    write(tx, INSERT, shop, columns, now).await.map(|_| ())
}

/// False when there is no such shop.
pub(super) async fn update(
    tx: &mut TenantTx,
    shop: ShopId,
    columns: &Columns<'_>,
    now: Timestamp,
) -> Result<bool, DbError> {
    write(tx, UPDATE, shop, columns, now).await.map(|rows| rows == 1)
}

pub(super) async fn list(tx: &mut TenantTx) -> Result<Vec<ShopRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(sqlx::query_as(COLUMNS_LIST).bind(tenant).fetch_all(tx.conn()).await?)
}

/// Shops behind a name and id, at most so many.
pub(super) async fn page(
    tx: &mut TenantTx,
    after: Option<&(String, Uuid)>,
    limit: i64,
) -> Result<Vec<ShopRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let query = sqlx::query_as(COLUMNS_PAGE).bind(tenant).bind(after.map(|(name, _)| name));
    Ok(query.bind(after.map(|(_, shop)| *shop)).bind(limit).fetch_all(tx.conn()).await?)
}

/// `lock` holds the row until the end of the transaction.
pub(super) async fn get(tx: &mut TenantTx, shop: ShopId, lock: bool) -> Result<Option<ShopRow>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = if lock { COLUMNS_LOCKED } else { COLUMNS_ONE };
    Ok(sqlx::query_as(sql).bind(tenant).bind(shop.as_uuid()).fetch_optional(tx.conn()).await?)
}
