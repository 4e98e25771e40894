//! Asking somebody to join: a link by mail, good for a week, with roles that the inviter may give. Whether the e-mail is
//! somebody's elsewhere is neither asked nor told.

use protocol::id::PersonId;
use serde_json::json;
use uuid::Uuid;

use super::INVITATION_MILLIS;
use crate::app::App;
use crate::auth::guard::Caller;
use crate::auth::policy::Policy;
use crate::auth::throttle;
use crate::clock::{timestamp, utc};
use crate::db::{DbError, SystemReason, SystemTx, TenantTx};
use crate::domain::audit::{self, Entry};
use crate::domain::identity::account::profile;
use crate::domain::identity::service::email_key;
use crate::domain::notifications::service::mail;
use crate::domain::notifications::{Template, To};
use crate::domain::people::rules::{OPEN_INVITATIONS, ROLES, Token};
use crate::domain::people::store::{self, InvitationRow, NewRow};
use crate::domain::people::types::{Invitation, NewInvitation};
use crate::domain::roles::types::Wanted;
use crate::domain::{roles, tenants};
use crate::http::{ApiError, ApiResult};
use crate::rng;

/// The name under which mails to an e-mail are counted.
const WHAT: &str = "invitation";

/// The roles of a row.
pub(super) fn roles_of(row: &InvitationRow) -> Vec<Wanted> {
    serde_json::from_value(row.roles.clone()).unwrap_or_default()
}

fn view(app: &App, row: InvitationRow) -> Invitation {
    Invitation {
        id: row.invitation_id,
        roles: roles_of(&row),
        email: row.email,
        invited_by: row.invited_by,
        sent_at: row.sent_at,
        expires_at: row.expires_at,
        expired: timestamp(row.expires_at) <= app.clock.now(),
    }
}

/// A page of the open invitations, the newest first.
///
/// # Errors
/// Whatever the statement met.
pub async fn list(app: &App, tx: &mut TenantTx, after: Option<Uuid>, limit: i64) -> Result<Vec<Invitation>, DbError> {
    let rows = store::invitations(tx, None, after, limit).await?;
    Ok(rows.into_iter().map(|row| view(app, row)).collect())
}

/// Invites somebody.
///
/// # Errors
/// VALIDATION for an e-mail or role that will not do; AUTHZ for more than the inviter holds; CONFLICT for somebody who is a
/// member or was invited; RATE_LIMIT for too many mails to one address.
pub async fn invite(
    app: &App,
    tx: &mut TenantTx,
    by: &Caller,
    mine: &Policy,
    new: &NewInvitation,
) -> ApiResult<Invitation> {
    let email = new.email.trim();
    let key = email_key(email);
    let key = key.ok_or_else(|| ApiError::field("email", "not an e-mail address such as maria@example.com"))?;
    if new.roles.is_empty() || new.roles.len() > ROLES {
        return Err(ApiError::field("roles", format!("name 1 to {ROLES} roles")));
    }
    for wanted in &new.roles {
        roles::service::resolve(tx, mine, wanted).await?;
    }
    if store::open_invitations(tx).await? >= OPEN_INVITATIONS {
        return Err(ApiError::conflict(format!("{OPEN_INVITATIONS} invitations are open: revoke some first")));
    }
    let now = app.clock.now();
    count(app, by, &key).await?;
    let (id, token) = (rng::id(now), Token::new(by.tenant, rng::bytes()));
    let expires = now.plus_millis(INVITATION_MILLIS);
    let roles = serde_json::to_value(&new.roles).map_err(ApiError::internal)?;
    let row = NewRow { id, email, email_key: &key, link: token.hash(), roles: &roles, by: by.person, now, expires };
    store::insert(tx, &row).await.map_err(|error| {
        ApiError::or_taken(error, "they are invited already: send that invitation again, or revoke it")
    })?;
    send(app, tx, by, &token, (email, &new.roles)).await?;
    let entry = Entry::new("people.invited", "invitation", id).diff(json!({ "roles": new.roles }));
    audit::service::record(tx, by, &entry, now).await?;
    let (invited_by, roles) = (by.person.as_uuid(), new.roles.clone());
    let (sent_at, expires_at) = (utc(now), utc(expires));
    Ok(Invitation { id, email: email.to_owned(), roles, invited_by, sent_at, expires_at, expired: false })
}

/// Counts the mail, and that whom it goes to is no member.
async fn count(app: &App, by: &Caller, key: &str) -> ApiResult<()> {
    let mut system = SystemTx::begin(&app.db, SystemReason::Account).await?;
    if store::is_member(&mut system, by.tenant.as_uuid(), key).await? {
        return Err(ApiError::conflict("they belong to the company already: give them a role instead"));
    }
    let passed = throttle::count_mail(&mut system, key, WHAT, app.clock.now()).await?;
    system.save().await?;
    if passed { Ok(()) } else { Err(ApiError::rate_limit("too many mails to this address; wait, then try again", 900)) }
}

async fn send(
    app: &App,
    tx: &mut TenantTx,
    by: &Caller,
    token: &Token,
    (email, wanted): (&str, &[Wanted]),
) -> ApiResult<()> {
    let inviter = profile::who(app, &[by.person]).await?.remove(&by.person);
    let mut titles = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        titles.push(roles::service::one(tx, &wanted.role).await?.name);
    }
    titles.dedup();
    let letter = Template::Invitation {
        tenant: tenants::service::name(tx).await?.unwrap_or_default(),
        invited_by: inviter.map_or_else(|| "Somebody".to_owned(), |who| who.shown().to_owned()),
        role: titles.join(", "),
        link: format!("{}/invitations/{}", app.public_url(), token.text()),
        good_for_minutes: u32::try_from(INVITATION_MILLIS / 60_000).unwrap_or(u32::MAX),
    };
    Ok(mail(app, tx, &To::address(email).or_tell(by.person), &letter).await?)
}

/// Sends an invitation again, with a new link and for another week, under the name of whoever sends it now.
///
/// # Errors
/// NOT_FOUND; AUTHZ for roles beyond the sender's own; RATE_LIMIT.
pub async fn resend(app: &App, tx: &mut TenantTx, by: &Caller, mine: &Policy, id: Uuid) -> ApiResult<Invitation> {
    let missing = || ApiError::not_found("invitation");
    let row = store::invitations(tx, Some(id), None, 1).await?.pop().ok_or_else(missing)?;
    let wanted = roles_of(&row);
    for wanted in &wanted {
        roles::service::resolve(tx, mine, wanted).await?;
    }
    count(app, by, &row.email_key).await?;
    let now = app.clock.now();
    let token = Token::new(by.tenant, rng::bytes());
    let times = (now, now.plus_millis(INVITATION_MILLIS));
    if !store::renew(tx, id, &token.hash(), by.person, times).await? {
        return Err(missing());
    }
    send(app, tx, by, &token, (&row.email, &wanted)).await?;
    audit::service::record(tx, by, &Entry::new("people.invited_again", "invitation", id), now).await?;
    let row = store::invitations(tx, Some(id), None, 1).await?.pop().ok_or_else(missing)?;
    Ok(view(app, row))
}

/// Revokes an open invitation; its link is good no more.
///
/// # Errors
/// NOT_FOUND.
pub async fn revoke(app: &App, tx: &mut TenantTx, by: &Caller, id: Uuid) -> ApiResult<()> {
    let now = app.clock.now();
    if !store::revoke(tx, id, now).await? {
        return Err(ApiError::not_found("invitation"));
    }
    Ok(audit::service::record(tx, by, &Entry::new("people.invitation_revoked", "invitation", id), now).await?)
}

/// Tells whoever invited that it was accepted.
pub(super) async fn tell(
    app: &App,
    tx: &mut TenantTx,
    inviter: PersonId,
    who: &str,
    person: PersonId,
) -> ApiResult<()> {
    use crate::domain::notifications::service::tell;
    use crate::domain::notifications::{Kind, Notice};
    let notice = Notice::new(Kind::People, format!("{who} joined"), format!("{who} accepted your invitation."))
        .at(format!("/people/{person}"));
    Ok(tell(tx, inviter, &notice, app.clock.now()).await?)
}
