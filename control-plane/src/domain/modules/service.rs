//! Asking what there is and what a company has, and switching it.

use std::collections::BTreeMap;

use protocol::id::PersonId;
use protocol::timestamp::Timestamp;

use super::store;
use super::types::{FeatureView, ModuleView, NewFeature, Part, PermissionView, Switch, Switches};
use crate::auth::policy::{self, Module, PLATFORM_TENANT, Permission};
use crate::db::{DbError, SystemTx, TenantTx};

/// The registry, without what belongs to the platform unless its own tenant asks.
///
/// # Errors
/// Whatever the statements met.
pub async fn registry(tx: &mut TenantTx) -> Result<Vec<ModuleView>, DbError> {
    let known = store::modules(tx).await?;
    let features = store::features(tx).await?;
    let platform = tx.tenant() == PLATFORM_TENANT;
    let modules = known.into_iter().filter_map(|(name, available, by_default)| {
        let module = Module::of_name(&name).filter(|module| platform || *module != Module::Platform)?;
        let of_module = features.iter().filter(|(_, of, ..)| *of == name);
        let features = of_module.map(|(name, _, description, by_default)| FeatureView {
            name: name.clone(),
            description: description.clone(),
            by_default: *by_default,
        });
        let permissions = Permission::ALL.iter().filter(|permission| permission.module() == module);
        Some(ModuleView {
            name: module.name(),
            description: module.describe(),
            core: module.core(),
            available: available || module.core(),
            by_default: by_default || module.core(),
            features: features.collect(),
            permissions: permissions.map(|permission| described(*permission)).collect(),
        })
    });
    Ok(modules.collect())
}

fn described(permission: Permission) -> PermissionView {
    PermissionView {
        name: permission,
        describes: permission.describe(),
        level: permission.level(),
        weight: permission.weight(),
        breadth: permission.breadth(),
    }
}

/// What the transaction's company has.
///
/// # Errors
/// Whatever the statements met.
pub async fn switches(tx: &mut TenantTx) -> Result<Switches, DbError> {
    let registry = registry(tx).await?;
    let [modules, features] = store::switched(tx).await?;
    let (modules, features): (BTreeMap<String, bool>, BTreeMap<String, bool>) =
        (modules.into_iter().collect(), features.into_iter().collect());
    let module = |view: &ModuleView| {
        let chosen = modules.get(view.name).copied().filter(|_| !view.core);
        let enabled = view.core || (view.available && chosen.unwrap_or(view.by_default));
        Switch { name: view.name.to_owned(), enabled, chosen: chosen.is_some() }
    };
    let on: Vec<Switch> = registry.iter().map(module).collect();
    let has = |name: &str| on.iter().any(|switch| switch.name == name && switch.enabled);
    let feature = |of: &str, view: &FeatureView| {
        let chosen = features.get(&view.name).copied();
        let enabled = has(of) && chosen.unwrap_or(view.by_default);
        Switch { name: view.name.clone(), enabled, chosen: chosen.is_some() }
    };
    let features = registry.iter().flat_map(|module| module.features.iter().map(|view| feature(module.name, view)));
    let features = features.collect();
    Ok(Switches { modules: on, features })
}

/// Switches a part for the transaction's tenant, or takes the switch away; acts with the commit. `by` is on record.
///
/// # Errors
/// Whatever the statements met.
pub async fn switch(
    tx: &mut TenantTx,
    part: Part<'_>,
    enabled: Option<bool>,
    by: PersonId,
    now: Timestamp,
) -> Result<(), DbError> {
    store::switch(tx, part, enabled, (by.as_uuid(), now)).await?;
    policy::bump(tx).await
}

/// Changes a module for everybody, with the commit. False when there is none.
///
/// # Errors
/// Whatever the statements met.
pub async fn set_module(
    tx: &mut SystemTx,
    module: Module,
    available: bool,
    by_default: bool,
    now: Timestamp,
) -> Result<bool, DbError> {
    let known = store::set_module(tx, module.name(), (available, by_default), now).await?;
    store::bump_registry(tx).await?;
    Ok(known)
}

/// Makes or changes a feature for everybody, with the commit.
///
/// # Errors
/// Whatever the statements met.
pub async fn set_feature(tx: &mut SystemTx, new: &NewFeature<'_>, now: Timestamp) -> Result<(), DbError> {
    store::set_feature(tx, new, now).await?;
    store::bump_registry(tx).await
}
