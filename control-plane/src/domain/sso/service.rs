//! Providers of a tenant: added, changed, removed, tried out; and who may still use a password.

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::oidc;
use super::rules::{self, BadSetting, PROVIDERS};
use super::store::{self, ProviderRow};
use super::types::{Hidden, Linked, NewProvider, Offer, Provider, ProviderPatch, Tested};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::auth::policy::{BuiltIn, Policy, Reach};
use crate::db::{DbError, SystemReason, SystemTx, TenantTx};
use crate::domain::audit::service::record;
use crate::domain::{audit, mfa, tenants};
use crate::http::{ApiError, ApiResult, IfMatch};
use crate::rng;

/// Who changes a provider, and what they may: nobody has newcomers become more than they are themselves.
#[derive(Clone, Copy, Debug)]
pub struct By<'a>(pub &'a Caller, pub &'a Policy);

/// What a client secret is sealed for.
pub(super) const SECRET: &str = "sso client secret";

impl From<BadSetting> for ApiError {
    fn from(bad: BadSetting) -> Self {
        Self::field(bad.field, bad.why)
    }
}

/// Where a provider sends people back to.
pub fn redirect_uri(app: &App) -> String {
    format!("{}/sign-in/sso/callback", app.public_url().trim_end_matches('/'))
}

/// The address at which the people of a tenant begin.
pub fn door(app: &App, tenant: TenantId) -> String {
    format!("{}?tenant={tenant}", redirect_uri(app).trim_end_matches("/callback"))
}

/// The built-in roles that a newcomer may be given, with their names for people.
pub fn newcomer_roles() -> Vec<(&'static str, &'static str)> {
    let all = BuiltIn::ALL.into_iter().filter(|role| newcomer_role(role.name()).is_some());
    all.map(|role| (role.name(), role.title())).collect()
}

/// A built-in role's name for people.
pub fn role_title(role: &str) -> String {
    let known = newcomer_roles().into_iter().find(|(name, _)| *name == role);
    known.map_or_else(|| role.to_owned(), |(_, title)| title.to_owned())
}

pub(super) fn bound_to(tenant: TenantId, provider: Uuid) -> Vec<u8> {
    [tenant.as_uuid().as_bytes().as_slice(), provider.as_bytes().as_slice()].concat()
}

fn read(row: ProviderRow) -> Provider {
    Provider {
        id: row.provider_id,
        label: row.label,
        issuer: row.issuer,
        client_id: row.client_id,
        domains: row.domains,
        newcomer_role: row.newcomer_role,
        enabled: row.enabled,
        enforced: row.enforced,
        people: row.people,
        version: u64::try_from(row.version).unwrap_or(0),
    }
}

/// The tenant's providers, by label.
///
/// # Errors
/// Whatever the statement met.
pub async fn list(tx: &mut TenantTx) -> ApiResult<Vec<Provider>> {
    Ok(store::list(tx).await?.into_iter().map(read).collect())
}

/// One provider.
///
/// # Errors
/// NOT_FOUND, also for another tenant's.
pub async fn get(tx: &mut TenantTx, provider: Uuid) -> ApiResult<Provider> {
    Ok(read(row(tx, provider).await?))
}

pub(super) async fn row(tx: &mut TenantTx, provider: Uuid) -> ApiResult<ProviderRow> {
    store::get(tx, provider).await?.ok_or_else(|| ApiError::not_found("provider"))
}

/// Adds a provider.
///
/// # Errors
/// VALIDATION naming the setting; CONFLICT for an issuer that is there already.
pub async fn create(app: &App, tx: &mut TenantTx, by: By<'_>, new: NewProvider) -> ApiResult<Provider> {
    let new = rules::checked(new)?;
    fits(app, &new)?;
    grants(by, new.newcomer_role.as_deref())?;
    let there = store::list(tx).await?;
    if there.len() >= PROVIDERS {
        return Err(ApiError::conflict(format!("a company has at most {PROVIDERS} providers: remove one first")));
    }
    if there.iter().any(|known| known.issuer == new.issuer) {
        return Err(ApiError::conflict("this issuer is one of your providers already: change that one"));
    }
    if new.enforced {
        leaves_a_way(app, tx).await?;
    }
    let now = app.clock.now();
    let id = rng::id(now);
    let secret = app.sealer.seal(SECRET, &bound_to(tx.tenant(), id), new.client_secret.0.as_bytes());
    store::insert(tx, id, &new, &secret, now).await?;
    let entry = entry("sso.provider_added", id).diff(json!({ "issuer": new.issuer, "settings": settings(&new) }));
    record(tx, by.0, &entry, now).await?;
    get(tx, id).await
}

pub(super) fn entry(action: &'static str, provider: Uuid) -> audit::Entry {
    audit::Entry::new(action, "sso_provider", provider)
}

/// What stands in the record of a change: never the secret.
fn settings(of: &NewProvider) -> Value {
    json!({ "label": of.label, "client_id": of.client_id, "domains": of.domains, "newcomer_role": of.newcomer_role,
        "enabled": of.enabled, "enforced": of.enforced })
}

/// The role of newcomers must be one of a company's, not an owner's, and within what the giver holds.
fn grants(by: By<'_>, role: Option<&str>) -> ApiResult<()> {
    let Some(role) = role else { return Ok(()) };
    let known = newcomer_role(role).ok_or_else(|| {
        let names: Vec<&str> = newcomer_roles().into_iter().map(|(name, _)| name).collect();
        ApiError::field("newcomer_role", format!("takes one of {}", names.join(", ")))
    })?;
    if by.1.beyond(known.permissions(), &Reach::Tenant).is_empty() {
        return Ok(());
    }
    Err(ApiError::authz("newcomers cannot become more than you are: choose a role within your own"))
}

/// Refuses to make a provider the only way in while no owner has a second factor: theirs is the way in when it fails.
async fn leaves_a_way(app: &App, tx: &mut TenantTx) -> ApiResult<()> {
    let owners = store::owners(tx).await?;
    if mfa::service::any_has_factor(app, &owners).await? {
        return Ok(());
    }
    let why = "first an owner needs a second factor or a passkey (under Security): the way in when the provider fails";
    Err(ApiError::field("enforced", why))
}

/// A built-in role that newcomers may have.
pub(super) fn newcomer_role(name: &str) -> Option<BuiltIn> {
    BuiltIn::of_name(name).filter(|role| !role.of_platform() && *role != BuiltIn::Owner)
}

/// What can be said of an issuer without asking it; names are resolved only when it is asked.
fn fits(app: &App, new: &NewProvider) -> ApiResult<()> {
    let url = new.issuer.parse().map_err(|_| ApiError::field("issuer", "is not an address"))?;
    app.outbound.check(&url).map_err(|error| ApiError::field("issuer", error))
}

/// Changes a provider.
///
/// # Errors
/// NOT_FOUND; 412 when it is not the version that was seen; VALIDATION naming the setting.
pub async fn update(
    app: &App,
    tx: &mut TenantTx,
    by: By<'_>,
    provider: Uuid,
    seen: &IfMatch,
    patch: ProviderPatch,
) -> ApiResult<Provider> {
    let version = store::lock(tx, provider).await?.ok_or_else(|| ApiError::not_found("provider"))?;
    seen.check(version)?;
    let before = row(tx, provider).await?;
    let bound = bound_to(tx.tenant(), provider);
    let renewed = patch.client_secret.is_some();
    let next = rules::checked(NewProvider {
        label: patch.label.unwrap_or_else(|| before.label.clone()),
        issuer: before.issuer.clone(),
        client_id: patch.client_id.unwrap_or_else(|| before.client_id.clone()),
        // The one that is there is not opened to be sealed again.
        client_secret: patch.client_secret.unwrap_or_else(|| Hidden("unchanged".to_owned())),
        domains: patch.domains.unwrap_or_else(|| before.domains.clone()),
        newcomer_role: patch.newcomer_role.or_else(|| before.newcomer_role.clone()),
        enabled: patch.enabled.unwrap_or(before.enabled),
        enforced: patch.enforced.unwrap_or(before.enforced),
    })?;
    // Who lets newcomers in by any setting gives them the role, even one that another has chosen.
    if next.enabled || next.newcomer_role != before.newcomer_role {
        grants(by, next.newcomer_role.as_deref())?;
    }
    if next.enforced && !before.enforced {
        leaves_a_way(app, tx).await?;
    }
    let secret = if renewed {
        app.sealer.seal(SECRET, &bound, next.client_secret.0.as_bytes())
    } else {
        before.client_secret.clone()
    };
    if !store::update(tx, provider, &next, &secret, app.clock.now()).await? {
        return Err(ApiError::not_found("provider"));
    }
    let before = json!({ "label": before.label, "client_id": before.client_id, "domains": before.domains,
        "newcomer_role": before.newcomer_role, "enabled": before.enabled, "enforced": before.enforced });
    let diff = json!({ "before": before, "after": settings(&next), "secret_renewed": renewed });
    record(tx, by.0, &entry("sso.provider_changed", provider).diff(diff), app.clock.now()).await?;
    get(tx, provider).await
}

/// Removes a provider with its links: its people can no longer come in by it.
///
/// # Errors
/// NOT_FOUND; 412 when it is not the version that was seen.
pub async fn remove(app: &App, tx: &mut TenantTx, caller: &Caller, provider: Uuid, seen: &IfMatch) -> ApiResult<()> {
    let version = store::lock(tx, provider).await?.ok_or_else(|| ApiError::not_found("provider"))?;
    seen.check(version)?;
    if !store::delete(tx, provider).await? {
        return Err(ApiError::not_found("provider"));
    }
    record(tx, caller, &entry("sso.provider_removed", provider), app.clock.now()).await?;
    Ok(())
}

/// Asks a provider for its discovery document and says whether it can be used.
///
/// # Errors
/// Whatever our own house met; what is wrong with the provider is an answer.
pub async fn test(app: &App, issuer: &str) -> ApiResult<Tested> {
    let asked = oidc::Provider::new(&app.outbound, &app.sso, app.clock.now()).test(issuer).await;
    let redirect_uri = redirect_uri(app);
    match asked {
        Ok((place, algorithms)) => Ok(Tested {
            ok: true,
            message: "The provider answered and can be used.".to_owned(),
            authorization_endpoint: Some(place),
            redirect_uri,
            algorithms,
        }),
        Err(super::fault::Fault::Ours(error)) => Err(error),
        Err(fault) => Ok(Tested {
            ok: false,
            message: fault.advice().to_owned(),
            authorization_endpoint: None,
            redirect_uri,
            algorithms: Vec::new(),
        }),
    }
}

/// The providers that somebody who is not signed in may choose from, of one tenant.
///
/// # Errors
/// Whatever the database met. Of an unknown tenant there are none.
pub async fn offers(app: &App, tenant: TenantId) -> ApiResult<Vec<Offer>> {
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    let Some(tenant_name) = tenants::service::name(&mut tx).await? else { return Ok(Vec::new()) };
    let rows = store::list(&mut tx).await?;
    let offer = |row: ProviderRow| Offer {
        tenant: tenant.as_uuid(),
        tenant_name: tenant_name.clone(),
        provider: row.provider_id,
        label: row.label,
        host: host_of(&row.issuer),
    };
    Ok(rows.into_iter().filter(|row| row.enabled).map(offer).collect())
}

/// The same by the domain of an e-mail, over all tenants that claim it.
///
/// # Errors
/// As [`offers`].
pub async fn offers_of_email(app: &App, email: &str) -> ApiResult<Vec<Offer>> {
    let Some(domain) = rules::email_domain(email) else {
        return Err(ApiError::field("email", "not an e-mail address such as owner@example.com"));
    };
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let found = store::tenants_of_domain(&mut tx, &domain).await?;
    drop(tx);
    let mut offers = Vec::new();
    for (tenant, tenant_name) in found {
        let mut tx = TenantTx::begin(&app.db, TenantId::from_uuid(tenant)).await?;
        let rows = store::list(&mut tx).await?.into_iter();
        let rows = rows.filter(|row| row.enabled && row.domains.contains(&domain));
        offers.extend(rows.map(|row| Offer {
            tenant,
            tenant_name: tenant_name.clone(),
            provider: row.provider_id,
            label: row.label,
            host: host_of(&row.issuer),
        }));
    }
    Ok(offers)
}

fn host_of(issuer: &str) -> String {
    issuer.split_once("://").map_or(issuer, |(_, rest)| rest).split('/').next().unwrap_or_default().to_owned()
}

/// The company's providers with whether somebody is linked to an account there.
///
/// # Errors
/// Whatever the statement met.
pub async fn linked(tx: &mut TenantTx, person: PersonId) -> ApiResult<Vec<Linked>> {
    let links = store::links_of(tx, person).await?;
    let rows = store::list(tx).await?.into_iter();
    let known = |row: &ProviderRow| links.contains(&row.provider_id);
    let rows = rows.filter(|row| row.enabled || known(row));
    let account = |row: ProviderRow| Linked {
        id: row.provider_id,
        linked: known(&row),
        host: host_of(&row.issuer),
        label: row.label,
    };
    Ok(rows.map(account).collect())
}

/// Takes somebody's own link to a provider away.
///
/// # Errors
/// NOT_FOUND when there is none.
pub async fn unlink(app: &App, tx: &mut TenantTx, caller: &Caller, provider: Uuid) -> ApiResult<()> {
    if store::unlink(tx, provider, caller.person).await? == 0 {
        return Err(ApiError::not_found("account"));
    }
    record(tx, caller, &entry("sso.unlinked", provider), app.clock.now()).await?;
    Ok(())
}

/// Takes somebody's links of this tenant away that were made until `until`: they begin anew.
///
/// # Errors
/// Whatever the statement met.
pub async fn begin_anew(tx: &mut TenantTx, person: PersonId, until: Timestamp) -> Result<(), DbError> {
    store::unlink_all(tx, person, until).await
}

/// Refuses a sign-in with a password where a provider is the only way in. An owner with a second factor is spared: when
/// the provider fails, somebody must be able to get in and change that. `mfa`: they proved one just now.
///
/// # Errors
/// AUTHZ with the way that is open.
pub async fn password_allowed(tx: &mut TenantTx, person: PersonId, mfa: bool) -> ApiResult<()> {
    let Some(label) = store::enforced(tx).await? else { return Ok(()) };
    if mfa && store::is_owner(tx, person).await? {
        return Ok(());
    }
    let message = format!("Your company signs in with {label}, not with a password. Use that.");
    Err(ApiError::authz(message).with(json!({ "reason": "sso_required" })))
}
