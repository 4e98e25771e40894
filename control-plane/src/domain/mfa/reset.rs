//! Taking a lost second factor off somebody else. An owner may do it for a member who belongs to no other company: or a
//! company made for the purpose could weaken another one's sign-in. For everybody else it takes an operator.

use protocol::id::PersonId;
use serde_json::json;

use super::store;
use crate::app::App;
use crate::auth::guard::Caller;
use crate::db::{SystemReason, SystemTx, TenantTx};
use crate::domain::audit::{self, Entry};
use crate::domain::identity;
use crate::domain::identity::types::TenantRef;
use crate::domain::notifications::{self, Template, To};
use crate::domain::tenants;
use crate::http::{ApiError, ApiResult};

fn nobody() -> ApiError {
    ApiError::not_found("person")
}

/// For a member of the caller's company.
///
/// # Errors
/// NOT_FOUND for others; CONFLICT for one who belongs to other companies too, who has no factor, or who is the caller.
pub(super) async fn member(app: &App, caller: &Caller, person: PersonId) -> ApiResult<()> {
    let places = identity::service::tenants_of(app, person).await?;
    if !places.iter().any(|place| place.id == caller.tenant) {
        return Err(nobody());
    }
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
/// NOT_FOUND for nobody; CONFLICT for one who has no factor, or who is the caller.
pub(super) async fn anybody(app: &App, caller: &Caller, person: PersonId) -> ApiResult<()> {
    let places = identity::service::tenants_of(app, person).await?;
    take_off(app, caller, person, &places).await
}

async fn take_off(app: &App, caller: &Caller, person: PersonId, places: &[TenantRef]) -> ApiResult<()> {
    if person == caller.person {
        return Err(ApiError::conflict("these are your own: remove them on your security page"));
    }
    let email = identity::service::email(app, person).await.map_err(|_| nobody())?;
    let by = identity::service::email(app, caller.person).await?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    if !store::remove_all(&mut tx, person).await? {
        return Err(ApiError::conflict("this person has no second factor"));
    }
    tx.save().await?;
    let now = app.clock.now();
    for place in places.iter().filter(|place| place.id != caller.tenant) {
        let mut tx = TenantTx::begin(&app.db, place.id).await?;
        store::end_sessions(&mut tx, person, None, now).await?;
        tx.save().await?;
    }
    let mut tx = caller.begin(app).await?;
    let ended = store::end_sessions(&mut tx, person, None, now).await?;
    let entry = Entry::new("mfa.reset", "person", person).diff(json!({ "sessions_ended": ended }));
    audit::service::record(&mut tx, caller, &entry, now).await?;
    let tenant = tenants::service::name(&mut tx).await?.unwrap_or_default();
    let link = format!("{}/me/security", app.public_url());
    notifications::service::mail(app, &mut tx, &To::address(email), &Template::MfaReset { tenant, by, link }).await?;
    Ok(tx.save().await?)
}
