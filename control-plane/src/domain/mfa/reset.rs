//! Taking a lost second factor off somebody else. An owner may do it for a member who belongs to no other company: or a
//! company made for the purpose could weaken another one's sign-in. For everybody else it takes an operator. Nobody does it
//! to somebody who may more than they do: a password would be all that is left between them and those rights.

use protocol::id::{PersonId, TenantId};
use serde_json::json;

use super::store;
use crate::app::App;
use crate::auth::guard::Caller;
use crate::auth::policy::{PLATFORM_TENANT, Policy};
use crate::db::{SystemReason, SystemTx};
use crate::domain::audit::{self, Actor, Entry};
use crate::domain::identity;
use crate::domain::identity::account::Ending;
use crate::domain::identity::types::TenantRef;
use crate::domain::notifications::{self, Template, To};
use crate::domain::people;
use crate::domain::tenants;
use crate::http::{ApiError, ApiResult};

fn nobody() -> ApiError {
    ApiError::not_found("person")
}

fn belongs(places: &[TenantRef], tenant: TenantId) -> bool {
    places.iter().any(|place| place.id == tenant)
}

/// For a member of the caller's company.
///
/// # Errors
/// NOT_FOUND for others; AUTHZ for one who may more than the caller; CONFLICT for one who belongs to other companies too,
/// who has no factor, or who is the caller.
pub(super) async fn member(app: &App, caller: &Caller, mine: &Policy, person: PersonId) -> ApiResult<()> {
    let places = identity::service::tenants_of(app, person).await?;
    if !belongs(&places, caller.tenant) {
        return Err(nobody());
    }
    covers(app, caller, mine, person).await?;
    if places.len() > 1 {
        return Err(ApiError::conflict(
            "this person belongs to other companies too: an operator of the platform can take the second factor off",
        ));
    }
    take_off(app, caller, person, &places).await
}

/// For anybody.
///
/// # Errors
/// NOT_FOUND for nobody; AUTHZ for another operator who may more than the caller; CONFLICT for one who has no factor, or who
/// is the caller.
pub(super) async fn anybody(app: &App, caller: &Caller, mine: &Policy, person: PersonId) -> ApiResult<()> {
    let places = identity::service::tenants_of(app, person).await?;
    if belongs(&places, PLATFORM_TENANT) {
        covers(app, caller, mine, person).await?;
    }
    take_off(app, caller, person, &places).await
}

async fn covers(app: &App, caller: &Caller, mine: &Policy, person: PersonId) -> ApiResult<()> {
    let mut tx = caller.begin(app).await?;
    people::service::covers(&mut tx, mine, person).await
}

async fn take_off(app: &App, caller: &Caller, person: PersonId, places: &[TenantRef]) -> ApiResult<()> {
    if person == caller.person {
        return Err(ApiError::conflict("these are your own: remove them on your security page"));
    }
    let email = identity::service::email(app, person).await.map_err(|_| nobody())?;
    let by = identity::service::email(app, caller.person).await?;
    let now = app.clock.now();
    let ending = Ending::of_factor_gone(person, None, now);
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    if !store::remove_all(&mut tx, person).await? {
        return Err(ApiError::conflict("this person has no second factor"));
    }
    ending.ask(&mut tx).await?;
    tx.save().await?;
    // With its line in the record of each company that they belong to.
    ending.carry_out(app, Actor::from(caller), "mfa.reset", true).await?;
    let mut tx = caller.begin(app).await?;
    if !belongs(places, caller.tenant) {
        let entry = Entry::new("mfa.reset", "person", person).diff(json!({ "sessions_ended": 0 }));
        audit::service::record(&mut tx, caller, &entry, now).await?;
    }
    let tenant = tenants::service::name(&mut tx).await?.unwrap_or_default();
    let link = format!("{}/me/security", app.public_url());
    notifications::service::mail(app, &mut tx, &To::address(email), &Template::MfaReset { tenant, by, link }).await?;
    Ok(tx.save().await?)
}
