//! The SQL of tenants.

use protocol::id::{PersonId, TenantId};
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

pub(super) async fn of_person_with_name(
    tx: &mut SystemTx,
    person: PersonId,
    name: &str,
) -> Result<Option<TenantId>, DbError> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "SELECT t.tenant_id FROM app.tenants t JOIN app.memberships m USING (tenant_id)
         WHERE m.person_id = $1 AND m.ended_at IS NULL AND lower(t.name) = lower($2) ORDER BY t.tenant_id LIMIT 1",
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
