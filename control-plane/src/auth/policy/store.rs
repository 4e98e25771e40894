//! The SQL behind policies: what a principal was given, and the version under which compiled policies are kept.

use std::collections::BTreeMap;

use protocol::id::{PersonId, ShopId};
use uuid::Uuid;

use super::{Bits, BuiltIn, Grant, Module, Permission, Reach, RoleRef, Source};
use crate::db::{DbError, TenantTx};

#[derive(sqlx::FromRow)]
struct Row {
    built_in: Option<String>,
    role_id: Option<Uuid>,
    name: Option<String>,
    wants_mfa: Option<bool>,
    permissions: Vec<String>,
    at_region: Option<Uuid>,
    at_shop: Option<Uuid>,
    region_shops: Vec<Uuid>,
}

/// All that a person holds in the transaction's tenant, with the tenant's modules.
///
/// # Errors
/// Whatever the statements met.
pub async fn load_sources(tx: &mut TenantTx, person: PersonId) -> Result<Source, DbError> {
    let tenant = tx.tenant().as_uuid();
    let version =
        sqlx::query_scalar("SELECT policy_version + app.registry_version() FROM app.tenants WHERE tenant_id = $1")
            .bind(tenant)
            .fetch_one(tx.conn())
            .await?;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT a.built_in, a.role_id, r.name, r.wants_mfa, a.at_region, a.at_shop,
                ARRAY(SELECT p.permission FROM app.role_permissions p
                      WHERE p.tenant_id = a.tenant_id AND p.role_id = a.role_id) AS permissions,
                ARRAY(SELECT s.shop_id FROM app.shops s
                      WHERE s.tenant_id = a.tenant_id AND s.region_id = a.at_region AND s.deleted_at IS NULL) AS region_shops
         FROM app.assignments a
         JOIN app.memberships m ON m.tenant_id = a.tenant_id AND m.person_id = a.person_id AND m.ended_at IS NULL
         LEFT JOIN app.roles r ON r.tenant_id = a.tenant_id AND r.role_id = a.role_id
         WHERE a.tenant_id = $1 AND a.person_id = $2",
    )
    .bind(tenant)
    .bind(person.as_uuid())
    .fetch_all(tx.conn())
    .await?;
    let modules = modules(tx).await?;
    Ok(Source { version, grants: rows.into_iter().filter_map(grant).collect(), modules })
}

/// A row as a grant. A role that this version does not know (a newer one wrote it) gives nothing.
fn grant(row: Row) -> Option<Grant> {
    let reach = match (row.at_region, row.at_shop) {
        (None, None) => Reach::Tenant,
        (Some(id), _) => Reach::Region { id, shops: row.region_shops.into_iter().map(ShopId::from_uuid).collect() },
        (None, Some(shop)) => Reach::Shop(ShopId::from_uuid(shop)),
    };
    if let Some(name) = row.built_in {
        let role = BuiltIn::of_name(&name)?;
        return Some(Grant {
            role: RoleRef::BuiltIn(role),
            bits: role.permissions(),
            reach,
            wants_mfa: role.wants_mfa(),
        });
    }
    let known = row.permissions.iter().filter_map(|name| Permission::of_name(name));
    let bits = known.fold(Bits::NONE, Bits::with);
    let role = RoleRef::Own { id: row.role_id?, name: row.name.unwrap_or_default() };
    Some(Grant { role, bits, reach, wants_mfa: row.wants_mfa.unwrap_or(false) })
}

/// The modules that the transaction's tenant has: what the registry offers, less or more what was switched for this tenant.
async fn modules(tx: &mut TenantTx) -> Result<Vec<Module>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let offered: Vec<(String, bool, bool)> =
        sqlx::query_as("SELECT module, available, by_default FROM app.registry_modules()").fetch_all(tx.conn()).await?;
    let switched: Vec<(String, bool)> =
        sqlx::query_as("SELECT module, enabled FROM app.tenant_modules WHERE tenant_id = $1")
            .bind(tenant)
            .fetch_all(tx.conn())
            .await?;
    let switched: BTreeMap<String, bool> = switched.into_iter().collect();
    let has = |name: &str, available: bool, by_default: bool| {
        let module = Module::of_name(name)?;
        // What belongs to the platform is decided by whose tenant it is, not by a switch.
        let on = module.core() || module == Module::Platform;
        (on || (available && switched.get(name).copied().unwrap_or(by_default))).then_some(module)
    };
    Ok(offered.iter().filter_map(|(name, available, by_default)| has(name, *available, *by_default)).collect())
}

/// Says that what people may do in the transaction's tenant has changed. Call it in the transaction of every such change:
/// with its commit the old policies are not asked any more.
///
/// # Errors
/// Whatever the statement met.
pub async fn bump(tx: &mut TenantTx) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query("UPDATE app.tenants SET policy_version = policy_version + 1 WHERE tenant_id = $1")
        .bind(tenant)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::NotFound) }
}
