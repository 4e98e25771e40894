//! The pages of people: everybody of the company, one of them with roles and sessions, and whoever is asked to join.

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use protocol::id::PersonId;
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::service;
use super::types::{Invitation, Member};
use crate::app::App;
use crate::auth::policy::{Permission, right};
use crate::clock::utc;
use crate::domain::identity::account::types::Session;
use crate::domain::roles::types::AssignmentView;
use crate::http::{ApiError, Paging, Path};
use crate::web::caller::PageCan;
use crate::web::{Flash, Form, Nav, PageError, PageResult, Pages, Shell, format};

/// The pages of people.
pub fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, "/people", list)
        .route(Method::GET, "/people/{id}", one)
        .route(Method::POST, "/people/{id}/end", end)
        .route(Method::POST, "/people/{id}/sessions/end", end_sessions)
        .route(Method::POST, "/people/{id}/sessions/{session_id}/end", end_session)
        .merge(super::invite_pages::pages())
}

/// Open invitations that the page shows.
const SHOWN: i64 = 100;

#[derive(Template)]
#[template(path = "domain/people/templates/list.html")]
struct ListPage {
    shell: Shell,
    members: Vec<Member>,
    invitations: Vec<Invitation>,
    /// The cursor of the next page.
    next: Option<String>,
    first: bool,
    now: OffsetDateTime,
}

/// A role as one line: what, and where.
pub(super) fn role_line(role: &AssignmentView) -> String {
    match (&role.region_name, &role.shop_name) {
        (Some(region), _) => format!("{}, {region}", role.role_name),
        (None, Some(shop)) => format!("{}, {shop}", role.role_name),
        (None, None) => role.role_name.clone(),
    }
}

async fn list(State(app): State<App>, caller: PageCan<right::PeopleRead>, paging: Paging) -> PageResult {
    let after: Option<Uuid> = paging.after("people page")?;
    let mut tx = caller.begin(&app).await?;
    let members = service::list(&app, &mut tx, after, paging.fetch()).await?;
    let invitations =
        if after.is_none() { service::invitations(&app, &mut tx, None, SHOWN).await? } else { Vec::new() };
    drop(tx);
    let page = paging.page("people page", members, |member| member.id)?;
    let next = page.pagination.and_then(|pagination| pagination.next_cursor);
    let shell = Shell::new(&caller, Nav::People, "People");
    let (first, now) = (after.is_none(), utc(app.clock.now()));
    caller.page(&ListPage { shell, members: page.data, invitations, next, first, now })
}

#[derive(Template)]
#[template(path = "domain/people/templates/one.html")]
struct OnePage {
    shell: Shell,
    member: Member,
    sessions: Vec<Session>,
    /// Whether it is the reader.
    me: bool,
    now: OffsetDateTime,
}

async fn one(State(app): State<App>, caller: PageCan<right::PeopleRead>, Path(id): Path<Uuid>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let member = service::one(&app, &mut tx, PersonId::from_uuid(id)).await?;
    let shell = Shell::new(&caller, Nav::People, member.shown());
    // Where somebody is signed in is for whoever may end it.
    let sessions = if shell.may(Permission::PeopleWrite) {
        service::sessions(&app, &mut tx, &caller.caller, PersonId::from_uuid(id)).await?
    } else {
        Vec::new()
    };
    let me = caller.caller.person.as_uuid() == id;
    caller.page(&OnePage { shell, member, sessions, me, now: utc(app.clock.now()) })
}

#[derive(Deserialize)]
struct Nothing {}

/// What the reader can mend is told on the page they came from.
fn told(error: ApiError, caller: &PageCan<right::PeopleWrite>, path: &str) -> PageResult {
    match error.status {
        StatusCode::CONFLICT | StatusCode::FORBIDDEN => caller.see_other(path, Flash::failed(capital(&error.message))),
        _ => Err(PageError::from(error)),
    }
}

/// With a capital letter, as a sentence of its own.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>());
    format!("{}.", first.unwrap_or_default())
}

async fn end(
    State(app): State<App>,
    caller: PageCan<right::PeopleWrite>,
    Path(id): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let person = PersonId::from_uuid(id);
    let mut tx = caller.begin(&app).await?;
    let member = service::one(&app, &mut tx, person).await?;
    match service::end(&app, &mut tx, &caller.caller, caller.right().policy(), person).await {
        Ok(()) => {
            tx.save().await?;
            caller.see_other("/people", Flash::done(format!("{} no longer belongs to the company.", member.shown())))
        }
        Err(error) => told(error, &caller, &format!("/people/{id}")),
    }
}

async fn end_sessions(
    State(app): State<App>,
    caller: PageCan<right::PeopleWrite>,
    Path(id): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    sign_out(&app, &caller, id, None).await
}

async fn end_session(
    State(app): State<App>,
    caller: PageCan<right::PeopleWrite>,
    Path((id, session)): Path<(Uuid, Uuid)>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    sign_out(&app, &caller, id, Some(session)).await
}

async fn sign_out(app: &App, caller: &PageCan<right::PeopleWrite>, id: Uuid, session: Option<Uuid>) -> PageResult {
    let mut tx = caller.begin(app).await?;
    let which = (PersonId::from_uuid(id), session);
    match service::sessions_end(app, &mut tx, &caller.caller, caller.right().policy(), which).await {
        Ok(ended) => {
            tx.save().await?;
            let said = if ended.ended == 1 {
                "One session has ended.".to_owned()
            } else {
                format!("{} sessions have ended.", ended.ended)
            };
            caller.see_other(&format!("/people/{id}"), Flash::done(said))
        }
        Err(error) => told(error, caller, &format!("/people/{id}")),
    }
}
