//! The page on which a company answers operators and sees who visited; and the door by which a guest leaves.

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::routes_visits::MOST;
use super::types::{Visit, VisitState};
use super::visits;
use crate::app::App;
use crate::auth::policy::{Permission, right};
use crate::http::{ApiError, ApiResult, Path};
use crate::web::caller::with_flash;
use crate::web::{Flash, Form, Nav, PageCaller, PageCan, PageResult, Pages, Shell, cookie, format};

/// The pages of a company about its visitors.
pub(super) fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, HERE, show)
        .route(Method::POST, "/settings/support/{visit_id}/allow", allow)
        .route(Method::POST, "/settings/support/{visit_id}/refuse", refuse)
        .route(Method::POST, "/settings/support/{visit_id}/end", end)
        .route(Method::POST, "/visit/leave", leave)
}

const HERE: &str = "/settings/support";

#[derive(Template)]
#[template(path = "domain/operators/templates/support.html")]
struct Support {
    shell: Shell,
    visits: Vec<Visit>,
    now: OffsetDateTime,
}

#[derive(Deserialize)]
struct Nothing {}

async fn show(State(app): State<App>, caller: PageCan<right::CompanyRead>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let visits = visits::list(&mut tx, MOST, app.clock.now()).await?;
    caller.page(&Support { shell: Shell::new(&caller, Nav::Support, "Support"), visits, now: app.clock.utc() })
}

fn told(caller: &PageCaller, done: ApiResult<()>, good: &str) -> PageResult {
    match done {
        Ok(()) => caller.see_other(HERE, Flash::done(good)),
        Err(refused) if refused.status == StatusCode::CONFLICT => {
            caller.see_other(HERE, Flash::failed(format!("Nothing was changed: {}.", refused.message)))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn answer(app: &App, caller: &PageCaller, id: Uuid, allowed: bool) -> ApiResult<()> {
    let mut tx = caller.begin(app).await?;
    visits::answer(&mut tx, &caller.caller, id, allowed, app.clock.now()).await?;
    Ok(tx.save().await?)
}

async fn allow(
    State(app): State<App>,
    caller: PageCan<right::SupportAllow>,
    Path(id): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let done = answer(&app, &caller, id, true).await;
    told(&caller, done, "They may look in now. You can end it here at any time.")
}

async fn refuse(
    State(app): State<App>,
    caller: PageCan<right::CompanyWrite>,
    Path(id): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let done = answer(&app, &caller, id, false).await;
    told(&caller, done, "They were not let in.")
}

async fn end(
    State(app): State<App>,
    caller: PageCan<right::CompanyRead>,
    Path(id): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    visits::may_end(&caller.caller, &caller.policy)?;
    let done = end_visit(&app, &caller, id).await;
    told(&caller, done, "The visit is over.")
}

async fn end_visit(app: &App, caller: &PageCaller, id: Uuid) -> ApiResult<()> {
    let mut tx = caller.caller.begin(app).await?;
    visits::end(&mut tx, &caller.caller, id, app.clock.now()).await?;
    Ok(tx.save().await?)
}

/// A guest leaves: the visit is over, their own session goes on.
async fn leave(State(app): State<App>, caller: PageCaller, Form(Nothing {}): Form<Nothing>) -> PageResult {
    let visit = visits::of_guest(&caller.caller).ok_or_else(|| ApiError::authz("You are no guest here."))?;
    end_visit(&app, &caller, visit).await?;
    let mut response = with_flash(caller.way(), "/operator", &Flash::done("You left. The visit is over."));
    let gone = cookie::write(caller.way(), caller.way().guest_name(), "", 0);
    response.headers_mut().append(header::SET_COOKIE, gone);
    Ok(response)
}
