//! Members: who they are, what they hold, their sessions, and the end of a membership. Nobody ends somebody who holds more
//! than they do themselves, and a company keeps an owner.

use std::collections::HashMap;

use protocol::id::PersonId;
use serde_json::json;
use uuid::Uuid;

use crate::app::App;
use crate::auth::guard::Caller;
use crate::auth::policy::{self, Policy};
use crate::db::TenantTx;
use crate::domain::audit::{self, Entry};
use crate::domain::identity::account::profile::{self, Who};
use crate::domain::identity::account::sessions as own_sessions;
use crate::domain::identity::account::types::{Ended, Session};
use crate::domain::people::store;
use crate::domain::people::types::Member;
use crate::domain::roles;
use crate::domain::roles::types::AssignmentView;
use crate::http::{ApiError, ApiResult};

/// Roles of one person that a list shows.
const ROLES: i64 = 100;

fn missing() -> ApiError {
    ApiError::not_found("person")
}

/// A page of the members, in the order of their ids.
///
/// # Errors
/// Whatever the database met.
pub async fn list(app: &App, tx: &mut TenantTx, after: Option<Uuid>, limit: i64) -> ApiResult<Vec<Member>> {
    let rows = store::members(tx, None, after, limit).await?;
    shown(app, tx, rows).await
}

/// One member.
///
/// # Errors
/// NOT_FOUND, also for somebody of another company or whose membership ended.
pub async fn one(app: &App, tx: &mut TenantTx, person: PersonId) -> ApiResult<Member> {
    let rows = store::members(tx, Some(person.as_uuid()), None, 1).await?;
    shown(app, tx, rows).await?.pop().ok_or_else(missing)
}

async fn shown(app: &App, tx: &mut TenantTx, rows: Vec<(Uuid, time::OffsetDateTime)>) -> ApiResult<Vec<Member>> {
    let ids: Vec<PersonId> = rows.iter().map(|(id, _)| PersonId::from_uuid(*id)).collect();
    let who: HashMap<PersonId, Who> = profile::who(app, &ids).await?;
    let mut members = Vec::with_capacity(rows.len());
    for (id, joined_at) in rows {
        // Somebody whose person is gone belongs nowhere.
        let Some(Who { email, name }) = who.get(&PersonId::from_uuid(id)).cloned() else { continue };
        let roles: Vec<AssignmentView> = roles::service::held(tx, Some(id), None, ROLES).await?;
        members.push(Member { id, email, name, joined_at, roles });
    }
    Ok(members)
}

/// That somebody holds at least what another holds: or an invited helper could end the owner.
///
/// # Errors
/// AUTHZ; whatever the database met.
pub async fn covers(tx: &mut TenantTx, mine: &Policy, person: PersonId) -> ApiResult<()> {
    let theirs = policy::load_sources(tx, person).await?;
    let more = theirs.grants.iter().any(|grant| !mine.beyond(grant.bits, &grant.reach).is_empty());
    if more {
        return Err(
            ApiError::authz("they may more than you: ask somebody who may as much").with(json!({ "reason": "beyond" }))
        );
    }
    Ok(())
}

/// Ends a membership: roles, sessions, keys and open invitations of theirs with it, at once.
///
/// # Errors
/// NOT_FOUND; AUTHZ for somebody who may more; CONFLICT for the last owner.
pub async fn end(app: &App, tx: &mut TenantTx, by: &Caller, mine: &Policy, person: PersonId) -> ApiResult<()> {
    let now = app.clock.now();
    if person != by.person {
        if store::members(tx, Some(person.as_uuid()), None, 1).await?.is_empty() {
            return Err(missing());
        }
        covers(tx, mine, person).await?;
    }
    // Locks the company's row: of two last owners who end each other one comes second.
    policy::bump(tx).await?;
    if !store::end(tx, person, now).await? {
        return Err(missing());
    }
    let roles = roles::service::take_all(tx, person).await?;
    roles::service::keeps_an_owner(tx).await?;
    let sessions = own_sessions::end_with_membership(app, tx, person).await?;
    let keys = crate::domain::keys::service::revoke_of(tx, person, now).await?;
    let invitations = store::revoke_of(tx, person, now).await?;
    let diff =
        json!({ "roles": roles, "sessions_ended": sessions, "keys_ended": keys, "invitations_ended": invitations });
    Ok(audit::service::record(tx, by, &Entry::new("people.ended", "person", person).diff(diff), now).await?)
}

/// A member's sessions that stand.
///
/// # Errors
/// NOT_FOUND.
pub async fn sessions(app: &App, tx: &mut TenantTx, by: &Caller, person: PersonId) -> ApiResult<Vec<Session>> {
    if store::members(tx, Some(person.as_uuid()), None, 1).await?.is_empty() {
        return Err(missing());
    }
    Ok(own_sessions::list(app, tx, person, by.session).await?)
}

/// Ends one session of a member, or all of them.
///
/// # Errors
/// NOT_FOUND; AUTHZ for somebody who may more.
pub async fn sessions_end(
    app: &App,
    tx: &mut TenantTx,
    by: &Caller,
    mine: &Policy,
    (person, session): (PersonId, Option<Uuid>),
) -> ApiResult<Ended> {
    if store::members(tx, Some(person.as_uuid()), None, 1).await?.is_empty() {
        return Err(missing());
    }
    covers(tx, mine, person).await?;
    own_sessions::end_of_member(app, tx, by, person, session).await
}
