//! The SQL of modules.

use crate::db::{DbError, TenantTx};

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
