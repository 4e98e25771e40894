//! Visits: an operator asks, the company answers, the operator looks in as a guest, and either side ends it. Every step, and
//! every page that a guest looks at, stands in the company's own record.

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::rules::{self, ASK_MILLIS, MINUTES, Times};
use super::service::{company, noted};
use super::store::{self, Row};
use super::types::{NewVisit, Visit, VisitState};
use crate::app::App;
use crate::auth::guard::{Caller, Refusal, Via};
use crate::auth::policy::{Permission, Policy};
use crate::clock::{timestamp, utc};
use crate::db::{DbError, TenantTx};
use crate::domain::audit::{self, Entry};
use crate::domain::identity;
use crate::domain::notifications::{self, Kind, Notice, Template, To};
use crate::domain::tenants::{life, service as tenants};
use crate::http::context::Context;
use crate::http::{ApiError, ApiResult};
use crate::rng;

const PATH_CHARS: usize = 200;

fn read(row: Row, now: Timestamp) -> Visit {
    let times = Times {
        allowed: row.allowed,
        ask_ends: timestamp(row.ask_ends_at),
        ends: row.ends_at.map(timestamp),
        ended: row.ended_at.is_some(),
    };
    Visit {
        id: row.impersonation_id,
        operator_email: row.operator_email,
        reason: row.reason,
        writes: row.writes,
        minutes: row.minutes,
        state: rules::state(times, now),
        asked_at: row.asked_at,
        ends_at: row.ends_at,
        operator: row.operator,
    }
}

/// Visits of the transaction's tenant, newest first.
///
/// # Errors
/// Whatever the statement met.
pub async fn list(tx: &mut TenantTx, limit: i64, now: Timestamp) -> Result<Vec<Visit>, DbError> {
    Ok(store::visits(tx, limit).await?.into_iter().map(|row| read(row, now)).collect())
}

async fn one(tx: &mut TenantTx, id: Uuid, now: Timestamp) -> ApiResult<Visit> {
    let row = store::visit(tx, id).await?.ok_or_else(|| ApiError::not_found("visit"))?;
    Ok(read(row, now))
}

/// Asks a company to be let in. Its owners are told, in the app and by mail.
///
/// # Errors
/// NOT_FOUND; VALIDATION; CONFLICT while a visit is asked for or going on.
pub async fn ask(app: &App, by: &Caller, platform: &mut TenantTx, tenant: TenantId, new: NewVisit) -> ApiResult<Visit> {
    let reason = life::reason(&new.reason)?;
    if !MINUTES.contains(&new.minutes) {
        return Err(ApiError::field("minutes", format!("{} to {}", MINUTES.start(), MINUTES.end())));
    }
    let new = NewVisit { reason, ..new };
    let now = app.clock.now();
    let email = identity::service::email(app, by.person).await?;
    let mut tx = company(app, tenant).await?;
    let account = tenants::account(&mut tx).await?;
    if account.closed_at.is_some() {
        return Err(ApiError::conflict("the account is closed; there is nobody to ask"));
    }
    store::tidy_visits(&mut tx, now).await?;
    let id = rng::id(now);
    let times = (now, now.plus_millis(ASK_MILLIS));
    store::ask(&mut tx, id, (by.person.as_uuid(), &email), &new, times)
        .await
        .map_err(|error| ApiError::or_taken(error, "a visit is asked for or going on already; end it first"))?;
    let minutes = u32::try_from(new.minutes).unwrap_or(60);
    let link = format!("{}/settings/support", app.public_url());
    let letter = Template::ImpersonationAsked {
        tenant: account.name,
        operator: email.clone(),
        reason: new.reason.clone(),
        minutes,
        link,
    };
    let body = format!("{email} asks for {minutes} minutes. The reason: {}", new.reason);
    let notice = Notice::new(Kind::Tenant, "Tillway asks to look at your pages", body).at("/settings/support");
    for owner in tenants::owners(&mut tx).await? {
        notifications::service::mail(app, &mut tx, &To::person(owner), &letter).await?;
        notifications::service::tell_here(&mut tx, owner, &notice, now).await?;
    }
    let diff = json!({ "minutes": new.minutes, "writes": new.writes, "reason": new.reason });
    let entry = Entry::new("support.asked", "visit", id).diff(diff);
    audit::service::record(&mut tx, by, &entry, now).await?;
    noted(platform, by, tenant, &entry, app).await?;
    let visit = one(&mut tx, id, now).await?;
    tx.save().await?;
    Ok(visit)
}

/// The company's answer to an ask, in the transaction of whoever gives it.
///
/// # Errors
/// NOT_FOUND; CONFLICT when it is answered already, or too late.
pub async fn answer(tx: &mut TenantTx, by: &Caller, id: Uuid, allowed: bool, now: Timestamp) -> ApiResult<Visit> {
    let visit = one(tx, id, now).await?;
    match visit.state {
        VisitState::Asked => {}
        VisitState::Lapsed => {
            return Err(ApiError::conflict("the question is older than a day; they have to ask again"));
        }
        VisitState::Refused | VisitState::Open | VisitState::Ended => {
            return Err(ApiError::conflict("this was answered already"));
        }
    }
    let ends = allowed.then(|| now.plus_millis(i64::from(visit.minutes) * 60_000));
    store::answer(tx, id, by.person.as_uuid(), ends, now).await?;
    let action = if allowed { "support.allowed" } else { "support.refused" };
    let until = ends.map(|ends| utc(ends).to_string());
    let entry = Entry::new(action, "visit", id).diff(json!({ "operator": visit.operator, "until": until }));
    audit::service::record(tx, by, &entry, now).await?;
    one(tx, id, now).await
}

/// Ends a visit at once, in the transaction of whoever does: the operator, or the company.
///
/// # Errors
/// NOT_FOUND; CONFLICT when it is over.
pub async fn end(tx: &mut TenantTx, by: &Caller, id: Uuid, now: Timestamp) -> ApiResult<Visit> {
    let visit = one(tx, id, now).await?;
    match visit.state {
        VisitState::Asked | VisitState::Open => {}
        VisitState::Refused | VisitState::Lapsed | VisitState::Ended => {
            return Err(ApiError::conflict("the visit is over already"));
        }
    }
    store::end(tx, id, by.person.as_uuid(), now).await?;
    let entry = Entry::new("support.ended", "visit", id).diff(json!({ "operator": visit.operator }));
    audit::service::record(tx, by, &entry, now).await?;
    one(tx, id, now).await
}

/// The operator takes back an ask, or ends the visit, from their own pages.
///
/// # Errors
/// As [`end`].
pub async fn end_by_operator(
    app: &App,
    by: &Caller,
    platform: &mut TenantTx,
    tenant: TenantId,
    id: Uuid,
) -> ApiResult<Visit> {
    let mut tx = company(app, tenant).await?;
    let visit = end(&mut tx, by, id, app.clock.now()).await?;
    noted(platform, by, tenant, &Entry::new("support.ended", "visit", id).diff(json!({ "visit": id })), app).await?;
    tx.save().await?;
    Ok(visit)
}

/// Opens the guest's session of a visit that is allowed. Answers the text of its cookie, and for how many seconds it is good.
///
/// # Errors
/// NOT_FOUND, also for another operator's; CONFLICT when it is not open.
pub async fn open(
    app: &App,
    by: &Caller,
    platform: &mut TenantTx,
    (tenant, id): (TenantId, Uuid),
    context: &Context,
) -> ApiResult<(String, i64)> {
    let now = app.clock.now();
    let mut tx = company(app, tenant).await?;
    let visit = one(&mut tx, id, now).await?;
    if PersonId::from_uuid(visit.operator) != by.person {
        return Err(ApiError::not_found("visit"));
    }
    let ends = match (visit.state, visit.ends_at) {
        (VisitState::Open, Some(ends)) => timestamp(ends),
        (VisitState::Asked, _) => return Err(ApiError::conflict("the company has not answered yet")),
        (VisitState::Open | VisitState::Refused | VisitState::Lapsed | VisitState::Ended, _) => {
            return Err(ApiError::conflict("the visit is over; ask again"));
        }
    };
    let cookie = identity::service::begin_guest(&mut tx, by.person, id, ends, context, now).await?;
    let entry = Entry::new("support.entered", "visit", id).diff(json!({ "writes": visit.writes }));
    audit::service::record(&mut tx, by, &entry, now).await?;
    noted(platform, by, tenant, &Entry { diff: json!({ "visit": id }), ..entry }, app).await?;
    tx.save().await?;
    Ok((cookie, (ends.millis_since(now) / 1_000).max(1)))
}

/// Notes in the company's record that a guest looks at a page.
///
/// # Errors
/// Whatever the statement met; then the page is not shown.
pub async fn looked(app: &App, guest: &Caller, path: &str) -> ApiResult<()> {
    let mut tx = TenantTx::begin(&app.db, guest.tenant).await?;
    let entry = Entry::new("support.looked", "page", path.chars().take(PATH_CHARS).collect::<String>());
    audit::service::record(&mut tx, guest, &entry, app.clock.now()).await?;
    Ok(tx.save().await?)
}

/// That somebody of the company may end visits: also while its account is suspended, when nothing else can be changed.
///
/// # Errors
/// AUTHZ.
pub fn may_end(caller: &Caller, policy: &Policy) -> ApiResult<()> {
    if caller.via == Via::Session && policy.may(Permission::CompanyWrite) {
        return Ok(());
    }
    Err(Refusal::Permission.error(Permission::CompanyWrite))
}

/// The visit that a guest is on.
pub const fn of_guest(caller: &Caller) -> Option<Uuid> {
    match caller.via {
        Via::Guest { impersonation, .. } => Some(impersonation),
        Via::Session | Via::Key => None,
    }
}
