//! The SQL of tenants.

use protocol::id::TenantId;
use protocol::timestamp::Timestamp;
use uuid::Uuid;

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

pub(super) async fn all(tx: &mut SystemTx) -> Result<Vec<TenantId>, DbError> {
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT tenant_id FROM app.tenants ORDER BY tenant_id").fetch_all(tx.conn()).await?;
    Ok(ids.into_iter().map(TenantId::from_uuid).collect())
}
