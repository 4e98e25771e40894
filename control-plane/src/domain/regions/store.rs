//! The SQL of regions.

use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::types::Region;
use crate::clock::utc;
use crate::db::{DbError, TenantTx};

const REGIONS: &str = "SELECT g.region_id AS id, g.name, g.version,
       ARRAY(SELECT s.shop_id FROM app.shops s
             WHERE s.tenant_id = g.tenant_id AND s.region_id = g.region_id AND s.deleted_at IS NULL ORDER BY s.name, s.shop_id)
           AS shop_ids
FROM app.regions g WHERE g.tenant_id = $1 AND ($2::uuid IS NULL OR g.region_id = $2) ORDER BY g.name, g.region_id";

pub(super) async fn regions(tx: &mut TenantTx, id: Option<Uuid>) -> Result<Vec<Region>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let rows: Vec<(Uuid, String, i64, Vec<Uuid>)> =
        sqlx::query_as(REGIONS).bind(tenant).bind(id).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(|(id, name, version, shop_ids)| Region { id, name, shop_ids, version }).collect())
}

pub(super) async fn lock(tx: &mut TenantTx, id: Uuid) -> Result<Option<i64>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT version FROM app.regions WHERE tenant_id = $1 AND region_id = $2 FOR UPDATE";
    Ok(sqlx::query_scalar(sql).bind(tenant).bind(id).fetch_optional(tx.conn()).await?)
}

pub(super) async fn write(tx: &mut TenantTx, id: Uuid, name: &str, now: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "INSERT INTO app.regions (tenant_id, region_id, name, version, created_at, updated_at)
         VALUES ($1, $2, $3, 1, $4, $4)
         ON CONFLICT (tenant_id, region_id) DO UPDATE
             SET name = excluded.name, version = app.regions.version + 1, updated_at = excluded.updated_at",
    )
    .bind(tenant)
    .bind(id)
    .bind(name)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Makes the region's shops these; answers how many of them there are. Regions that lose one to it get their next version.
pub(super) async fn set_shops(tx: &mut TenantTx, id: Uuid, shops: &[Uuid]) -> Result<u64, DbError> {
    let tenant = tx.tenant().as_uuid();
    sqlx::query(
        "UPDATE app.regions SET version = version + 1 WHERE tenant_id = $1 AND region_id <> $2 AND region_id IN
             (SELECT region_id FROM app.shops WHERE tenant_id = $1 AND shop_id = ANY ($3))",
    )
    .bind(tenant)
    .bind(id)
    .bind(shops)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "UPDATE app.shops SET region_id = NULL WHERE tenant_id = $1 AND region_id = $2 AND shop_id <> ALL ($3)",
    )
    .bind(tenant)
    .bind(id)
    .bind(shops)
    .execute(tx.conn())
    .await?;
    let done = sqlx::query(
        "UPDATE app.shops SET region_id = $2 WHERE tenant_id = $1 AND shop_id = ANY ($3) AND deleted_at IS NULL",
    )
    .bind(tenant)
    .bind(id)
    .bind(shops)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// How many roles are held for a region.
pub(super) async fn holders(tx: &mut TenantTx, id: Uuid) -> Result<i64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT count(*) FROM app.assignments WHERE tenant_id = $1 AND at_region = $2";
    Ok(sqlx::query_scalar(sql).bind(tenant).bind(id).fetch_one(tx.conn()).await?)
}

pub(super) async fn remove(tx: &mut TenantTx, id: Uuid) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query("DELETE FROM app.regions WHERE tenant_id = $1 AND region_id = $2")
        .bind(tenant)
        .bind(id)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::NotFound) }
}
