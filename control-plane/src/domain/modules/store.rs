//! The SQL of modules.

use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::types::{NewFeature, Part};
use crate::clock::utc;
use crate::db::{DbError, SystemTx, TenantTx};

/// The registry: (module, available, by default).
pub(super) async fn modules(tx: &mut TenantTx) -> Result<Vec<(String, bool, bool)>, DbError> {
    let sql = "SELECT module, available, by_default FROM app.registry_modules() ORDER BY module";
    Ok(sqlx::query_as(sql).fetch_all(tx.conn()).await?)
}

/// (feature, module, description, by default).
pub(super) async fn features(tx: &mut TenantTx) -> Result<Vec<(String, String, String, bool)>, DbError> {
    let sql = "SELECT feature, module, description, by_default FROM app.registry_features() ORDER BY feature";
    Ok(sqlx::query_as(sql).fetch_all(tx.conn()).await?)
}

/// What was switched for the transaction's tenant: modules, then features.
pub(super) async fn switched(tx: &mut TenantTx) -> Result<[Vec<(String, bool)>; 2], DbError> {
    let tenant = tx.tenant().as_uuid();
    let sql = "SELECT module, enabled FROM app.tenant_modules WHERE tenant_id = $1";
    let modules = sqlx::query_as(sql).bind(tenant).fetch_all(tx.conn()).await?;
    let sql = "SELECT feature, enabled FROM app.tenant_features WHERE tenant_id = $1";
    let features = sqlx::query_as(sql).bind(tenant).fetch_all(tx.conn()).await?;
    Ok([modules, features])
}

/// Switches a part for the transaction's tenant; none takes the switch away.
pub(super) async fn switch(
    tx: &mut TenantTx,
    part: Part<'_>,
    enabled: Option<bool>,
    (by, now): (Uuid, Timestamp),
) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let (name, set, unset) = match part {
        Part::Module(name) => (
            name,
            "INSERT INTO app.tenant_modules (tenant_id, module, enabled, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant_id, module) DO UPDATE SET enabled = excluded.enabled, changed_at = excluded.changed_at,
                 changed_by = excluded.changed_by",
            "DELETE FROM app.tenant_modules WHERE tenant_id = $1 AND module = $2",
        ),
        Part::Feature(name) => (
            name,
            "INSERT INTO app.tenant_features (tenant_id, feature, enabled, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant_id, feature) DO UPDATE SET enabled = excluded.enabled, changed_at = excluded.changed_at,
                 changed_by = excluded.changed_by",
            "DELETE FROM app.tenant_features WHERE tenant_id = $1 AND feature = $2",
        ),
    };
    let switch = match enabled {
        Some(enabled) => sqlx::query(set).bind(tenant).bind(name).bind(enabled).bind(utc(now)).bind(by),
        None => sqlx::query(unset).bind(tenant).bind(name),
    };
    switch.execute(tx.conn()).await?;
    Ok(())
}

/// Changes a module for everybody. False when there is none.
pub(super) async fn set_module(
    tx: &mut SystemTx,
    module: &str,
    (available, by_default): (bool, bool),
    now: Timestamp,
) -> Result<bool, DbError> {
    let sql = "UPDATE platform.modules SET available = $2, by_default = $3, updated_at = $4 WHERE module = $1";
    let done = sqlx::query(sql).bind(module).bind(available).bind(by_default).bind(utc(now)).execute(tx.conn()).await?;
    Ok(done.rows_affected() == 1)
}

/// Makes or changes a feature for everybody.
pub(super) async fn set_feature(tx: &mut SystemTx, new: &NewFeature<'_>, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO platform.features (feature, module, description, by_default, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (feature) DO UPDATE SET module = excluded.module, description = excluded.description,
             by_default = excluded.by_default, updated_at = excluded.updated_at",
    )
    .bind(new.name)
    .bind(new.module)
    .bind(new.description)
    .bind(new.by_default)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Says that the registry changed: from the commit on every tenant's policies are compiled anew.
pub(super) async fn bump_registry(tx: &mut SystemTx) -> Result<(), DbError> {
    sqlx::query("UPDATE platform.registry_version SET version = version + 1").execute(tx.conn()).await?;
    Ok(())
}
