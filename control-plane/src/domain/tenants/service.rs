//! Making a tenant with its first owner, and asking who the tenants are.

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::rules;
use super::store;
use super::types::{Account, Census, Face, State};
use crate::app::App;
use crate::auth::policy::PLATFORM_TENANT;
use crate::clock::timestamp;
use crate::db::{DbError, SystemReason, SystemTx, TenantTx};
use crate::domain::audit::{self, Actor, Entry};
use crate::domain::identity;
use crate::http::{ApiError, ApiResult};
use crate::rng;

pub use super::types::NewTenant;

/// Makes a tenant and its owner. A person who is known already keeps their one sign-in, and must give its
/// password.
///
/// # Errors
/// VALIDATION for a name, e-mail or password that will not do; CONFLICT for a known e-mail with another password.
pub async fn create(app: &App, name: &str, email: &str, password: &str) -> ApiResult<NewTenant> {
    let name = rules::name(name).map_err(|why| ApiError::field("name", why))?;
    let owner = identity::service::ensure_person(app, email, password).await?;
    let now = app.clock.now();
    let tenant = TenantId::from_uuid(rng::id(now));
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    begin(&mut tx, &name, owner, Actor::COMMAND, now).await?;
    tx.save().await?;
    tracing::info!(%tenant, %owner, "tenant made");
    Ok(NewTenant { tenant, owner })
}

/// Makes the transaction's tenant with its owner and the first line of its record.
///
/// # Errors
/// [`DbError::Taken`] when it is there already.
pub(super) async fn begin(
    tx: &mut TenantTx,
    name: &str,
    owner: PersonId,
    actor: impl Into<Actor>,
    now: Timestamp,
) -> Result<(), DbError> {
    store::insert(tx, name, now).await?;
    identity::service::add_owner(tx, owner, now).await?;
    let entry = Entry::new("company.made", "tenant", tx.tenant()).diff(serde_json::json!({ "name": name }));
    audit::service::record(tx, actor, &entry, now).await
}

/// The tenant of this name that the person of this e-mail owns, if there is one: what a command that ran twice would double.
///
/// # Errors
/// Whatever the statement met.
pub async fn owned_with_name(app: &App, name: &str, email: &str) -> Result<Option<TenantId>, DbError> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::CreateTenant).await?;
    let Some(owner) = identity::service::person_of_email(&mut tx, email).await? else { return Ok(None) };
    store::of_person_with_name(&mut tx, owner, name.trim()).await
}

/// The tenant's name; none if there is no such tenant.
///
/// # Errors
/// Whatever the statement met.
pub async fn name(tx: &mut TenantTx) -> Result<Option<String>, DbError> {
    store::name(tx).await
}

/// Whether the transaction's tenant is closed, or was never there.
///
/// # Errors
/// Whatever the statement met.
pub async fn is_closed(tx: &mut TenantTx) -> Result<bool, DbError> {
    Ok(store::account(tx, false).await?.is_none_or(|account| account.closed_at.is_some()))
}

/// How the transaction's tenant stands.
///
/// # Errors
/// NOT_FOUND.
pub async fn account(tx: &mut TenantTx) -> ApiResult<Account> {
    store::account(tx, false).await?.ok_or_else(|| ApiError::not_found("tenant"))
}

/// What the transaction's tenant has so far, in figures.
///
/// # Errors
/// Whatever the statement met.
pub async fn census(tx: &mut TenantTx) -> Result<Census, DbError> {
    store::census(tx).await
}

/// Who owns the transaction's tenant.
///
/// # Errors
/// Whatever the statement met.
pub async fn owners(tx: &mut TenantTx) -> Result<Vec<PersonId>, DbError> {
    store::owners(tx).await
}

/// What stands around the pages of a tenant, remembered in the process under the version that rises with every change of it.
///
/// # Errors
/// Whatever the statements met.
pub async fn face(app: &App, tenant: TenantId, version: i64) -> Result<std::sync::Arc<Face>, DbError> {
    if let Some(face) = app.web.face(tenant, version) {
        return Ok(face);
    }
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    let (account, words) = (store::account(&mut tx, false).await?, store::words(&mut tx).await?);
    drop(tx);
    let mut face = Face { note: account.as_ref().and_then(note), ..Face::default() };
    if let Some(words) = words {
        face = Face { branded: words.accent.is_some(), logo: words.logo, display_name: words.display_name, ..face };
    }
    let face = std::sync::Arc::new(face);
    app.web.keep_face(tenant, version, &face);
    Ok(face)
}

/// What a person is told above every page about how the account stands.
fn note(account: &Account) -> Option<String> {
    let closes = account.closes_at.map(|at| at.date());
    match account.state() {
        State::Active | State::Closed => None,
        State::Suspended => {
            let why =
                account.suspended_reason.as_deref().map_or_else(String::new, |why| format!(" The reason: {why}."));
            let why = why.replace("..", ".");
            Some(format!(
                "This account is suspended. Everything can be read, nothing changed; the shops go on selling.{why} \
                 Answer the mail that told you, or ask whoever runs Tillway for you."
            ))
        }
        State::Closing => closes.map(|day| {
            format!("This account will be closed on {day}. An owner can keep it until then, under Settings.")
        }),
    }
}

/// Every tenant, for workers that go through them one by one.
///
/// # Errors
/// Whatever the statement met.
pub async fn all(app: &App) -> Result<Vec<TenantId>, DbError> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::Housekeeping).await?;
    store::all(&mut tx).await
}

/// A tenant with how it stands.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Which.
    pub tenant: TenantId,
    /// How it stands.
    pub account: Account,
}

/// Tenants by name but the platform's own: those whose name contains `search`, in a state, behind a name and id.
///
/// # Errors
/// Whatever the statement met.
pub async fn list(
    tx: &mut SystemTx,
    search: &str,
    state: Option<State>,
    after: Option<&(String, Uuid)>,
    limit: i64,
) -> Result<Vec<Listed>, DbError> {
    let rows = store::list(tx, PLATFORM_TENANT, search, state.map(State::name), after, limit).await?;
    let listed =
        |row: store::Listed| Listed { tenant: TenantId::from_uuid(row.tenant_id), account: row.account.read() };
    Ok(rows.into_iter().map(listed).collect())
}

/// When the account will be closed.
pub fn closes(account: &Account) -> Option<Timestamp> {
    account.closes_at.map(timestamp)
}
