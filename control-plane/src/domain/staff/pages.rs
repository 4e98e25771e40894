//! The pages of staff: who works at the lanes, somebody new, somebody with their rights, shops and PIN. A PIN that was
//! typed is on no page again.

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use protocol::collection::Collection;
use protocol::id::StaffId;
use serde::Deserialize;
use uuid::Uuid;

use super::form::{RIGHTS, Typed, places, rights_of};
use super::types::{LaneRole, Member, NewPin};
use super::{pins, rules_pages, service};
use crate::app::App;
use crate::auth::policy::{Permission, Scope, right};
use crate::db::TenantTx;
use crate::domain::audit::Actor;
use crate::domain::shops;
use crate::domain::shops::types::Shop;
use crate::http::{ApiError, ApiResult, IfMatch, Path, Query, page};
use crate::web::respond::encoded;
use crate::web::{Flash, Form, Nav, PageCaller, PageCan, PageError, PageResult, Pages, Shell};

/// Rows of a page.
const ROWS: i64 = 50;
/// The name of the list in its cursors.
const LIST: &str = "staff page";

/// The pages of staff.
pub fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, "/staff", list)
        .route(Method::POST, "/staff", create)
        .route(Method::GET, "/staff/new", new)
        .route(Method::GET, "/staff/{id}", one)
        .route(Method::POST, "/staff/{id}", save)
        .route(Method::POST, "/staff/{id}/pin", set_pin)
        .route(Method::POST, "/staff/{id}/end", end)
        .merge(rules_pages::pages())
}

/// The shops of a scope.
pub(super) async fn shops_of(tx: &mut TenantTx, scope: &Scope) -> ApiResult<Vec<Shop>> {
    let shops = shops::service::list(tx).await?;
    Ok(shops.into_iter().filter(|shop| scope.includes(shop.id)).collect())
}

/// Which page of the list.
#[derive(Clone, Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    ended: String,
}

#[derive(Template)]
#[template(path = "domain/staff/templates/list.html")]
struct List {
    shell: Shell,
    staff: Vec<Member>,
    shops: Vec<Shop>,
    next: Option<String>,
    ended: bool,
    first: bool,
}

impl List {
    fn places(&self, member: &Member) -> String {
        places(member, &self.shops)
    }
}

async fn list(State(app): State<App>, caller: PageCan<right::StaffRead>, Query(asked): Query<Asked>) -> PageResult {
    let after: Option<(String, Uuid)> = if asked.cursor.is_empty() { None } else { page::open(LIST, &asked.cursor) };
    let ended = asked.ended == "yes";
    let mut tx = caller.begin(&app).await?;
    let scope = caller.right().scope();
    let mut staff = service::page(&mut tx, scope, ended, after.as_ref(), ROWS + 1).await?;
    let shops = shops_of(&mut tx, scope).await?;
    drop(tx);
    let more = i64::try_from(staff.len()).unwrap_or(0) > ROWS;
    staff.truncate(usize::try_from(ROWS).unwrap_or(0));
    let next = match staff.last().filter(|_| more) {
        Some(last) => {
            let sealed = page::seal(LIST, &(last.name.clone(), last.id.as_uuid()))?;
            Some(format!("/staff?cursor={}{}", encoded(&sealed), if ended { "&ended=yes" } else { "" }))
        }
        None => None,
    };
    let shell = Shell::new(&caller, Nav::Staff, "Staff");
    caller.page(&List { shell, staff, shops, next, ended, first: after.is_none() })
}

/// The field of a form at fault, and the remedy.
type Fault = Option<(String, String)>;

#[derive(Template)]
#[template(path = "domain/staff/templates/new.html")]
struct New {
    shell: Shell,
    form: Typed,
    shops: Vec<Shop>,
    everywhere: bool,
    fault: Fault,
}

#[derive(Template)]
#[template(path = "domain/staff/templates/one.html")]
struct One {
    shell: Shell,
    member: Member,
    form: Typed,
    shops: Vec<Shop>,
    everywhere: bool,
    fault: Fault,
    places: String,
}

impl One {
    fn may(&self) -> String {
        rights_of(&self.member)
    }
}

/// The fault of an error that a form can show; other errors go on.
pub(super) fn fault_of(error: ApiError) -> Result<(String, String), PageError> {
    if error.status != StatusCode::UNPROCESSABLE_ENTITY {
        return Err(error.into());
    }
    let field = error.details.as_ref().and_then(|details| details.get("field")?.as_str()).unwrap_or_default();
    // The form says which field it is; its name in data is nothing to people.
    let why = error.message.strip_prefix(&format!("{field}: ")).unwrap_or(&error.message);
    Ok((field.to_owned(), why.to_owned()))
}

async fn new(State(app): State<App>, caller: PageCan<right::StaffWrite>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let shops = shops_of(&mut tx, caller.right().scope()).await?;
    let everywhere = *caller.right().scope() == Scope::Everywhere;
    let form = Typed { all_shops: everywhere && shops.len() == 1, ..Typed::default() };
    let shell = Shell::new(&caller, Nav::Staff, "Somebody new");
    caller.page(&New { shell, form, shops, everywhere, fault: None })
}

async fn create(
    State(app): State<App>,
    caller: PageCan<right::StaffWrite>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    let form = Typed::read(&pairs);
    let scope = caller.right().scope();
    let mut tx = caller.begin(&app).await?;
    let made = match form.wanted() {
        Ok(wanted) => service::create(&mut tx, scope, Actor::from(&caller.caller), wanted, app.clock.now()).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(member) => {
            tx.save().await?;
            app.hint(caller.caller.tenant, Collection::Staff);
            let text = format!("{} is added. Give them a PIN, and they can sign in.", member.name);
            caller.see_other(&format!("/staff/{}", member.id), Flash::done(text))
        }
        Err(error) => {
            let fault = Some(fault_of(error)?);
            drop(tx);
            let mut tx = caller.begin(&app).await?;
            let shops = shops_of(&mut tx, scope).await?;
            let shell = Shell::new(&caller, Nav::Staff, "Somebody new");
            let everywhere = *scope == Scope::Everywhere;
            let page = New { shell, form, shops, everywhere, fault };
            caller.page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// The page of somebody, with what was typed and what is wrong with it.
async fn show(
    app: &App,
    caller: &PageCaller,
    scope: &Scope,
    tx: &mut TenantTx,
    (id, typed, fault): (StaffId, Option<Typed>, Fault),
) -> PageResult {
    let _ = app;
    let member = service::get(tx, scope, id).await?;
    let shops = shops_of(tx, scope).await?;
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = One {
        shell: Shell::new(caller, Nav::Staff, &member.name),
        form: typed.unwrap_or_else(|| Typed::of(&member)),
        places: places(&member, &shops),
        everywhere: *scope == Scope::Everywhere,
        member,
        shops,
        fault,
    };
    caller.page_with(status, &page)
}

async fn one(State(app): State<App>, caller: PageCan<right::StaffRead>, Path(id): Path<Uuid>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    show(&app, &caller, caller.right().scope(), &mut tx, (StaffId::from_uuid(id), None, None)).await
}

async fn save(
    State(app): State<App>,
    caller: PageCan<right::StaffWrite>,
    Path(id): Path<Uuid>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    let (form, scope, id) = (Typed::read(&pairs), caller.right().scope(), StaffId::from_uuid(id));
    let mut tx = caller.begin(&app).await?;
    let before = service::get(&mut tx, scope, id).await?;
    let saved = match form.patch() {
        _ if before.version != form.seen => {
            Err(ApiError::field("seen", "somebody changed this meanwhile; look, and save again if it still holds"))
        }
        Ok(patch) => {
            let (by, who) = (Actor::from(&caller.caller), (id, &IfMatch::any()));
            service::update(&mut tx, scope, by, who, patch, app.clock.now()).await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(member) => {
            tx.save().await?;
            app.hint(caller.caller.tenant, Collection::Staff);
            let text = format!("{} is saved. The tills know within a second.", member.name);
            caller.see_other(&format!("/staff/{id}"), Flash::done(text))
        }
        Err(error) => {
            let fault = Some(fault_of(error)?);
            drop(tx);
            let mut tx = caller.begin(&app).await?;
            let mut form = form;
            form.seen = before.version;
            show(&app, &caller, scope, &mut tx, (id, Some(form), fault)).await
        }
    }
}

/// The form of a PIN. It has fields of the page besides.
#[derive(Deserialize)]
struct TypedPin {
    pin: String,
}

async fn set_pin(
    State(app): State<App>,
    caller: PageCan<right::StaffWrite>,
    Path(id): Path<Uuid>,
    Form(TypedPin { pin }): Form<TypedPin>,
) -> PageResult {
    let (scope, id) = (caller.right().scope(), StaffId::from_uuid(id));
    match pins::set(&app, caller.right(), scope, id, NewPin { pin }).await {
        Ok(member) => {
            app.hint(caller.caller.tenant, Collection::Staff);
            let text = format!("{} has a new PIN. Tell it to nobody else.", member.name);
            caller.see_other(&format!("/staff/{id}"), Flash::done(text))
        }
        Err(error) => {
            let fault = Some(fault_of(error)?);
            let mut tx = caller.begin(&app).await?;
            show(&app, &caller, scope, &mut tx, (id, None, fault)).await
        }
    }
}

/// A form without fields of its own.
#[derive(Debug, Deserialize)]
struct Nothing {}

async fn end(
    State(app): State<App>,
    caller: PageCan<right::StaffWrite>,
    Path(id): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let (scope, id, by) = (caller.right().scope(), StaffId::from_uuid(id), Actor::from(&caller.caller));
    let mut tx = caller.begin(&app).await?;
    let member = service::end(&mut tx, scope, by, id, app.clock.now()).await?;
    tx.save().await?;
    app.hint(caller.caller.tenant, Collection::Staff);
    let text = format!("{} can sign in nowhere any more, as soon as each box hears of it.", member.name);
    caller.see_other(&format!("/staff/{id}"), Flash::done(text))
}
