//! The page of a person's notifications: what they were told, and which kinds come by mail too.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::Method;
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::service;
use super::types::{Choice, Chosen, Kind, Told};
use crate::app::App;
use crate::http::{Paging, Path};
use crate::web::{Flash, Form, Nav, PageCaller, PageResult, Pages, Shell, format};

/// Notices on one page.
const ROWS: u32 = 25;
/// The name of the list in its cursors.
const LIST: &str = "notifications page";
const HERE: &str = "/notifications";

/// The pages of notifications.
pub fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, HERE, list)
        .route(Method::POST, "/notifications/read", read_all)
        .route(Method::POST, "/notifications/{notice_id}/read", read_one)
        .route(Method::POST, "/notifications/preferences", choose)
}

#[derive(Template)]
#[template(path = "domain/notifications/templates/list.html")]
struct List {
    shell: Shell,
    notices: Vec<Told>,
    choices: Vec<Choice>,
    /// Whether this is not the first page.
    paged: bool,
    next: Option<String>,
    now: OffsetDateTime,
}

async fn list(State(app): State<App>, caller: PageCaller, paging: Paging) -> PageResult {
    let before: Option<Uuid> = paging.after(LIST)?;
    let mut tx = caller.begin(&app).await?;
    let page = service::list(&mut tx, caller.caller.person, before, ROWS).await?;
    let choices = service::choices(&mut tx, caller.caller.person).await?;
    drop(tx);
    let page_of = paging.cut(LIST, page.notices, page.next)?;
    caller.page(&List {
        shell: Shell::new(&caller, Nav::Notices, "Notifications"),
        notices: page_of.data,
        choices,
        paged: before.is_some(),
        next: page_of.pagination.and_then(|pagination| pagination.next_cursor),
        now: app.clock.utc(),
    })
}

#[derive(Deserialize)]
struct Nothing {}

async fn read_all(State(app): State<App>, caller: PageCaller, Form(Nothing {}): Form<Nothing>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    service::read_all(&mut tx, caller.caller.person, app.clock.now()).await?;
    tx.save().await?;
    caller.see_other(HERE, Flash::done("All of them are read."))
}

/// Notes that one was read, and goes where it leads.
async fn read_one(
    State(app): State<App>,
    caller: PageCaller,
    Path(notice): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let href = service::read(&mut tx, caller.caller.person, notice, app.clock.now()).await?;
    tx.save().await?;
    match href {
        Some(href) => Ok(crate::web::respond::see_other(&href)),
        None => caller.see_other(HERE, Flash::done("Marked as read.")),
    }
}

/// A box that is not ticked is not sent.
async fn choose(
    State(app): State<App>,
    caller: PageCaller,
    Form(ticked): Form<BTreeMap<String, String>>,
) -> PageResult {
    service::own(&caller.caller)?;
    let on = |kind: Kind| Some(ticked.contains_key(kind.name()));
    let (people, tenant) = (on(Kind::People), on(Kind::Tenant));
    let chosen = Chosen { people, tenant, delivery: on(Kind::Delivery), shops: on(Kind::Shops) };
    let mut tx = caller.begin(&app).await?;
    service::choose(&mut tx, caller.caller.person, chosen).await?;
    tx.save().await?;
    caller.see_other(HERE, Flash::done("Saved."))
}
