//! Making a tenant with its first owner, and asking who the tenants are.

use protocol::id::{PersonId, TenantId};

use crate::app::App;
use crate::db::{DbError, SystemReason, SystemTx, TenantTx};
use crate::domain::identity;
use crate::http::{ApiError, ApiResult};
use crate::rng;

use super::store;

/// Longest name of a tenant, in characters.
const NAME_CHARS: usize = 200;

/// A tenant that was just made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTenant {
    /// The tenant.
    pub tenant: TenantId,
    /// Its owner.
    pub owner: PersonId,
}

/// Makes a tenant and its owner. A person who is known already keeps their one sign-in, and must give its
/// password.
///
/// # Errors
/// VALIDATION for a name, e-mail or password that will not do; CONFLICT for a known e-mail with another password.
pub async fn create(app: &App, name: &str, email: &str, password: &str) -> ApiResult<NewTenant> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS {
        return Err(ApiError::field("name", format!("give 1 to {NAME_CHARS} characters")));
    }
    let owner = identity::service::ensure_person(app, email, password).await?;
    let now = app.clock.now();
    let tenant = TenantId::from_uuid(rng::id(now));
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    store::insert(&mut tx, name, now).await?;
    identity::service::add_owner(&mut tx, owner, now).await?;
    tx.save().await?;
    tracing::info!(%tenant, %owner, "tenant made");
    Ok(NewTenant { tenant, owner })
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

/// Every tenant, for workers that go through them one by one.
///
/// # Errors
/// Whatever the statement met.
pub async fn all(app: &App) -> Result<Vec<TenantId>, DbError> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::Housekeeping).await?;
    store::all(&mut tx).await
}
