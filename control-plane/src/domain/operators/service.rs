//! What operators do to companies and to the registry. Each deed stands in the company's own record, in the transaction of its
//! effect, and in the platform's, which is committed right after.

use protocol::id::TenantId;
use serde_json::json;
use uuid::Uuid;

use super::types::{SetFeature, SetModule, TenantDetail, TenantSeen};
use super::{store, visits};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::auth::policy::{BuiltIn, Module, PLATFORM_TENANT};
use crate::db::{DbError, SystemReason, SystemTx, TenantTx};
use crate::domain::audit::{self, Actor, Entry};
use crate::domain::modules::types::{NewFeature, Part};
use crate::domain::tenants::registrations::types::Registration;
use crate::domain::tenants::types::{Account, Census, State};
use crate::domain::tenants::{life, registrations, service as tenants};
use crate::domain::{identity, modules};
use crate::http::{ApiError, ApiResult};

/// Deeds that are shown.
const DEEDS: i64 = 30;
/// Visits that are shown.
const VISITS: i64 = 20;

/// Something that is done to a company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Suspends it, for a reason.
    Suspend(String),
    /// Lifts that.
    Resume,
    /// Closes it in thirty days.
    Close,
    /// Keeps it.
    Keep,
    /// Switches a module.
    Module(String, Option<bool>),
    /// Switches a feature.
    Feature(String, Option<bool>),
}

/// A transaction of a company; the platform's own is none.
pub(super) async fn company(app: &App, tenant: TenantId) -> ApiResult<TenantTx> {
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    if tenant == PLATFORM_TENANT || tenants::name(&mut tx).await?.is_none() {
        return Err(ApiError::not_found("tenant"));
    }
    Ok(tx)
}

/// Writes a deed into the platform's record, in its transaction.
pub(super) async fn noted(
    platform: &mut TenantTx,
    by: &Caller,
    tenant: TenantId,
    entry: &Entry,
    app: &App,
) -> ApiResult<()> {
    let here = Entry::new(entry.action, "tenant", tenant).diff(entry.diff.clone());
    Ok(audit::service::record(platform, by, &here, app.clock.now()).await?)
}

/// Does something to a company. `platform` is the transaction of the operator's own tenant; save it after.
///
/// # Errors
/// NOT_FOUND; VALIDATION; CONFLICT when it does not fit how the company stands.
pub async fn act(app: &App, by: &Caller, platform: &mut TenantTx, tenant: TenantId, act: Act) -> ApiResult<TenantSeen> {
    let now = app.clock.now();
    let mut tx = company(app, tenant).await?;
    let entry = match act {
        Act::Suspend(why) => life::suspend(app, &mut tx, &why, now).await?,
        Act::Resume => life::resume(app, &mut tx, now).await?,
        Act::Close => life::begin_closing(&mut tx, now).await?,
        Act::Keep => life::keep_open(&mut tx, now).await?,
        Act::Module(name, enabled) => {
            let module = switchable(&name)?;
            modules::service::switch(&mut tx, Part::Module(module.name()), enabled, by.person, now).await?;
            Entry::new("modules.switched", "module", module.name())
                .diff(json!({ "module": module.name(), "enabled": enabled }))
        }
        Act::Feature(name, enabled) => {
            let registry = modules::service::registry(&mut tx).await?;
            let known = registry.iter().flat_map(|module| &module.features).any(|feature| feature.name == name);
            if !known {
                return Err(ApiError::field("feature", "there is no such feature; see the registry"));
            }
            modules::service::switch(&mut tx, Part::Feature(&name), enabled, by.person, now).await?;
            Entry::new("features.switched", "feature", &name).diff(json!({ "feature": name, "enabled": enabled }))
        }
    };
    audit::service::record(&mut tx, by, &entry, now).await?;
    noted(platform, by, tenant, &entry, app).await?;
    let seen = seen(tenant, tenants::account(&mut tx).await?, tenants::census(&mut tx).await?);
    tx.save().await?;
    Ok(seen)
}

/// A module that can be switched: what every company has cannot, nor what belongs to the platform.
fn switchable(name: &str) -> ApiResult<Module> {
    let module = Module::of_name(name).filter(|module| *module != Module::Platform);
    let module = module.ok_or_else(|| ApiError::field("module", "there is no such module; see the registry"))?;
    if module.core() {
        return Err(ApiError::field("module", "every company has this module; it cannot be switched"));
    }
    Ok(module)
}

fn seen(tenant: TenantId, account: Account, counts: Census) -> TenantSeen {
    TenantSeen {
        id: tenant.as_uuid(),
        state: account.state(),
        name: account.name,
        suspended_reason: account.suspended_reason,
        closes_at: account.closes_at,
        created_at: account.created_at,
        counts,
    }
}

/// Companies by name, behind a name and id, each with its counts: one short transaction of each.
///
/// # Errors
/// Whatever the database met.
pub async fn list(
    app: &App,
    search: &str,
    state: Option<State>,
    after: Option<&(String, Uuid)>,
    limit: i64,
) -> ApiResult<Vec<TenantSeen>> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::Operators).await?;
    let rows = tenants::list(&mut tx, search.trim(), state, after, limit).await?;
    drop(tx);
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let mut tx = TenantTx::begin(&app.db, row.tenant).await?;
        found.push(seen(row.tenant, row.account, tenants::census(&mut tx).await?));
    }
    Ok(found)
}

/// One company. `platform` is a transaction of the operator's own tenant.
///
/// # Errors
/// NOT_FOUND.
pub async fn detail(app: &App, platform: &mut TenantTx, tenant: TenantId) -> ApiResult<TenantDetail> {
    let mut tx = company(app, tenant).await?;
    let seen = seen(tenant, tenants::account(&mut tx).await?, tenants::census(&mut tx).await?);
    let switches = modules::service::switches(&mut tx).await?;
    let visits = visits::list(&mut tx, VISITS, app.clock.now()).await?;
    let done = store::deeds(platform, &tenant.to_string(), DEEDS).await?;
    Ok(TenantDetail { tenant: seen, switches, visits, done })
}

/// Takes a company in. `platform` is the transaction of the operator's own tenant; save it after.
///
/// # Errors
/// NOT_FOUND; CONFLICT when it is decided already or was never confirmed.
pub async fn approve(app: &App, by: &Caller, platform: &mut TenantTx, id: Uuid) -> ApiResult<Registration> {
    let done = registrations::service::approve(app, by, id).await?;
    let tenant = TenantId::from_uuid(done.tenant_id.unwrap_or_default());
    let entry =
        Entry::new("company.approved", "tenant", tenant).diff(json!({ "registration": id, "name": done.company }));
    noted(platform, by, tenant, &entry, app).await?;
    Ok(done)
}

/// Does not take a company in. As [`approve`].
///
/// # Errors
/// As [`approve`], and VALIDATION for the reason.
pub async fn refuse(app: &App, by: &Caller, platform: &mut TenantTx, id: Uuid, why: &str) -> ApiResult<Registration> {
    let done = registrations::service::refuse(app, by, id, why).await?;
    let entry =
        Entry::new("company.refused", "registration", id).diff(json!({ "name": done.company, "reason": done.reason }));
    audit::service::record(platform, by, &entry, app.clock.now()).await?;
    Ok(done)
}

/// Changes a module for everybody. `platform` is the transaction of the operator's own tenant; save it after.
///
/// # Errors
/// VALIDATION for one that there is not, or that everybody has.
pub async fn set_module(app: &App, by: &Caller, platform: &mut TenantTx, new: &SetModule) -> ApiResult<()> {
    let module = switchable(&new.module)?;
    let now = app.clock.now();
    let entry = Entry::new("registry.module", "module", module.name())
        .diff(json!({ "available": new.available, "by_default": new.by_default }));
    audit::service::record(platform, by, &entry, now).await?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::Operators).await?;
    if !modules::service::set_module(&mut tx, module, new.available, new.by_default, now).await? {
        return Err(ApiError::field("module", "there is no such module; see the registry"));
    }
    Ok(tx.save().await?)
}

/// Makes or changes a feature for everybody. As [`set_module`].
///
/// # Errors
/// VALIDATION naming the field.
pub async fn set_feature(app: &App, by: &Caller, platform: &mut TenantTx, new: &SetFeature) -> ApiResult<()> {
    let name = new.feature.as_bytes();
    let known = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(byte);
    if !(2..=64).contains(&name.len()) || !name[0].is_ascii_lowercase() || !name.iter().all(known) {
        return Err(ApiError::field("feature", "2 to 64 small letters, digits, points, such as analytics.forecast"));
    }
    if Module::of_name(&new.module).is_none() {
        return Err(ApiError::field("module", "there is no such module; see the registry"));
    }
    if new.description.chars().count() > 500 || new.description.contains('\0') {
        return Err(ApiError::field("description", "at most 500 characters"));
    }
    let now = app.clock.now();
    let entry = Entry::new("registry.feature", "feature", &new.feature)
        .diff(json!({ "module": new.module, "by_default": new.by_default }));
    audit::service::record(platform, by, &entry, now).await?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::Operators).await?;
    let SetFeature { feature, module, description, by_default } = new;
    let feature = NewFeature { name: feature, module, description, by_default: *by_default };
    modules::service::set_feature(&mut tx, &feature, now).await?;
    Ok(tx.save().await?)
}

/// Makes somebody an operator; a person who is known keeps their one sign-in, and must give its password. For the command line.
///
/// # Errors
/// VALIDATION for an e-mail, password or role that will not do; CONFLICT for a known e-mail with another password.
pub async fn create(app: &App, email: &str, password: &str, role: &str) -> ApiResult<protocol::id::PersonId> {
    let role = BuiltIn::of_name(role).filter(|role| role.of_platform());
    let role = role.ok_or_else(|| ApiError::field("role", "say platform_admin or support"))?;
    let person = identity::service::ensure_person(app, email, password).await?;
    let now = app.clock.now();
    let mut tx = TenantTx::begin(&app.db, PLATFORM_TENANT).await?;
    identity::service::add_with_role(&mut tx, person, role, now).await?;
    let entry = Entry::new("operators.made", "person", person).diff(json!({ "role": role.name() }));
    audit::service::record(&mut tx, Actor::COMMAND, &entry, now).await?;
    tx.save().await?;
    Ok(person)
}

/// Whether a job belongs where it is said to, for errors of jobs.
pub(super) fn no_job(error: DbError) -> ApiError {
    ApiError::or_taken(error, "another job of the same kind and key waits or runs already")
}
