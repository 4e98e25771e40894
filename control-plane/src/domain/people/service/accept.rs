//! Joining by an invitation: as somebody new, who chooses a password; as somebody who signs in with this e-mail already, by
//! their password or in their session. What was promised is given only as far as the inviter may still give it. Nobody is
//! signed in by a link.

use protocol::id::PersonId;
use serde_json::json;

use super::invitations::{roles_of, tell};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::auth::policy::{self, Policy};
use crate::db::{DbError, SystemReason, SystemTx, TenantTx};
use crate::domain::audit::{self, Actor, Entry};
use crate::domain::identity::account::profile::{self, tidy_name};
use crate::domain::people::rules::Token;
use crate::domain::people::store::{self, InvitationRow};
use crate::domain::people::types::{Accept, AcceptSignedIn, Joined};
use crate::domain::roles::types::Assignment;
use crate::domain::{identity, roles, tenants};
use crate::http::context::Context;
use crate::http::{ApiError, ApiResult};

fn stale() -> ApiError {
    ApiError::validation("token: this invitation was used, revoked, replaced or is older than a week: ask for another")
        .with(json!({ "field": "token" }))
}

/// What whoever opens an invitation sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Into which company.
    pub tenant: String,
    /// For which e-mail.
    pub email: String,
    /// Whose e-mail it is, if somebody's.
    pub known: Option<PersonId>,
}

/// What an invitation is; none when its link is not good.
///
/// # Errors
/// Whatever the database met.
pub async fn look(app: &App, token: &str) -> ApiResult<Option<Door>> {
    let Some(token) = Token::read(token) else { return Ok(None) };
    let mut tx = TenantTx::begin(&app.db, token.tenant).await?;
    let Some(row) = store::lock_by_link(&mut tx, &token.hash(), app.clock.now()).await? else { return Ok(None) };
    let tenant = tenants::service::name(&mut tx).await?.unwrap_or_default();
    drop(tx);
    let mut system = SystemTx::begin(&app.db, SystemReason::Account).await?;
    let known = identity::service::person_of_email(&mut system, &row.email_key).await?;
    Ok(Some(Door { tenant, email: row.email, known }))
}

/// Accepts with a password.
///
/// # Errors
/// VALIDATION for a link that is not good or a password that may not be chosen; AUTHN for the wrong password of somebody
/// known, RATE_LIMIT for too many; CONFLICT when the inviter may not give it any more.
pub async fn accept(app: &App, accept: &Accept, context: &Context) -> ApiResult<Joined> {
    let door = look(app, &accept.token).await?.ok_or_else(stale)?;
    let name = accept.name.as_deref().map(tidy_name).transpose()?.flatten();
    let person = match door.known {
        Some(_) => identity::service::who_is(app, &door.email, &accept.password, context).await?,
        None => {
            let about = [door.email.as_str(), door.tenant.as_str()];
            identity::service::make_person(app, &door.email, name.as_deref(), &accept.password, &about).await?
        }
    };
    join(app, &accept.token, person, Actor::door(Some(person), context.id())).await
}

/// Accepts as somebody who is signed in, with the e-mail that was invited.
///
/// # Errors
/// As [`accept`]; AUTHZ for an invitation to somebody else.
pub async fn accept_signed_in(app: &App, caller: &Caller, accept: &AcceptSignedIn) -> ApiResult<Joined> {
    let door = look(app, &accept.token).await?.ok_or_else(stale)?;
    if door.known != Some(caller.person) {
        return Err(ApiError::authz("this invitation is for another e-mail: sign out, then open its link again"));
    }
    join(app, &accept.token, caller.person, caller.into()).await
}

async fn join(app: &App, token: &str, person: PersonId, actor: Actor) -> ApiResult<Joined> {
    let token = Token::read(token).ok_or_else(stale)?;
    let now = app.clock.now();
    let mut tx = TenantTx::begin(&app.db, token.tenant).await?;
    let row = store::lock_by_link(&mut tx, &token.hash(), now).await?.ok_or_else(stale)?;
    let tenant = tenants::service::name(&mut tx).await?.ok_or_else(stale)?;
    let again = !store::join(&mut tx, person, now).await?;
    give(app, &mut tx, &row, person).await?;
    store::accepted(&mut tx, row.invitation_id, person, now).await?;
    let diff = json!({ "invitation": row.invitation_id, "roles": roles_of(&row), "was_member": again });
    audit::service::record(&mut tx, actor, &Entry::new("people.joined", "person", person).diff(diff), now).await?;
    let who = profile::who(app, &[person]).await?.remove(&person);
    let who = who.map_or_else(|| row.email.clone(), |who| who.shown().to_owned());
    tell(app, &mut tx, PersonId::from_uuid(row.invited_by), &who, person).await?;
    tx.save().await?;
    Ok(Joined { tenant_id: token.tenant.as_uuid(), tenant, email: row.email })
}

/// Gives the roles of an invitation, as far as the inviter may give them now.
async fn give(app: &App, tx: &mut TenantTx, row: &InvitationRow, person: PersonId) -> ApiResult<()> {
    let inviter = PersonId::from_uuid(row.invited_by);
    let mine = Policy::compile(tx.tenant(), policy::load_sources(tx, inviter).await?);
    let gone = |_: ApiError| {
        ApiError::conflict("whoever invited you may not give these roles any more: ask for another invitation")
    };
    for wanted in roles_of(row) {
        let (role, at) = roles::service::resolve(tx, &mine, &wanted).await.map_err(gone)?;
        let assignment = Assignment { person, role, at };
        let given = roles::service::assign(tx, &assignment, Some(inviter), app.clock.now()).await;
        given.map_err(|error: DbError| ApiError::from(error))?;
    }
    Ok(())
}
