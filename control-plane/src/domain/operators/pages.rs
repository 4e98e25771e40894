//! The operators' pages of companies: who waits, who is here, one of them. No SQL, no decisions.

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use protocol::id::TenantId;
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::service::{self, Act};
use super::types::{NewVisit, TenantDetail, TenantSeen, VisitState};
use super::visits;
use crate::app::App;
use crate::auth::policy::{Module, Permission, right};
use crate::domain::tenants::registrations;
use crate::domain::tenants::registrations::types::{Registration, Stage};
use crate::domain::tenants::types::State as Standing;
use crate::http::context::Context;
use crate::http::{ApiResult, Paging, Path, Query};
use crate::web::{Flash, Form, Nav, PageCaller, PageCan, PageResult, Pages, Shell, cookie, format};

/// The pages of companies.
pub(super) fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, HERE, home)
        .route(Method::POST, "/operator/registrations/{id}/approve", approve)
        .route(Method::POST, "/operator/registrations/{id}/refuse", refuse)
        .route(Method::GET, "/operator/tenants/{tenant_id}", one)
        .route(Method::POST, "/operator/tenants/{tenant_id}/standing", standing)
        .route(Method::POST, "/operator/tenants/{tenant_id}/switch", switch)
        .route(Method::POST, "/operator/tenants/{tenant_id}/visits", ask)
        .route(Method::POST, "/operator/tenants/{tenant_id}/visits/{visit_id}/open", open)
        .route(Method::POST, "/operator/tenants/{tenant_id}/visits/{visit_id}/end", end)
}

const HERE: &str = "/operator";
/// The name of the list in its cursors.
const LIST: &str = "tenants page";
/// Registrations on the page.
const WAITING: i64 = 50;

#[derive(Template)]
#[template(path = "domain/operators/templates/home.html")]
struct Home {
    shell: Shell,
    waiting: Vec<Registration>,
    rows: Vec<TenantSeen>,
    q: String,
    state: Option<Standing>,
    paged: bool,
    next: Option<String>,
    now: OffsetDateTime,
}

impl Home {
    /// States to choose from, each with whether it is the chosen one.
    fn states(&self) -> [(&'static str, bool); 4] {
        [Standing::Active, Standing::Suspended, Standing::Closing, Standing::Closed]
            .map(|state| (state.name(), self.state == Some(state)))
    }
}

#[derive(Template)]
#[template(path = "domain/operators/templates/one.html")]
struct One {
    shell: Shell,
    detail: TenantDetail,
    /// Who looks: only their own visits open.
    me: Uuid,
    now: OffsetDateTime,
}

impl One {
    /// Whether a module can be switched: what every company has cannot.
    #[allow(clippy::unused_self, reason = "templates call it so")]
    fn switchable(&self, name: &str) -> bool {
        Module::of_name(name).is_some_and(|module| !module.core())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    q: String,
    state: String,
}

async fn home(
    State(app): State<App>,
    caller: PageCan<right::PlatformTenantsRead>,
    Query(asked): Query<Asked>,
    paging: Paging,
) -> PageResult {
    let after: Option<(String, Uuid)> = paging.after(LIST)?;
    let state = Standing::of(&asked.state);
    let waiting = registrations::service::list(&app, Some(Stage::Waiting), None, WAITING).await?;
    let rows = service::list(&app, &asked.q, state, after.as_ref(), paging.fetch()).await?;
    let page = paging.page(LIST, rows, |row| (row.name.clone(), row.id))?;
    caller.page(&Home {
        shell: Shell::new(&caller, Nav::Platform, "Companies"),
        waiting,
        rows: page.data,
        q: asked.q,
        state,
        paged: after.is_some(),
        next: page.pagination.and_then(|pagination| pagination.next_cursor),
        now: app.clock.utc(),
    })
}

async fn one(
    State(app): State<App>,
    caller: PageCan<right::PlatformTenantsRead>,
    Path(tenant): Path<Uuid>,
) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let detail = service::detail(&app, &mut tx, TenantId::from_uuid(tenant)).await?;
    let shell = Shell::new(&caller, Nav::Platform, detail.tenant.name.clone());
    let me = caller.caller.person.as_uuid();
    caller.page(&One { shell, detail, me, now: app.clock.utc() })
}

/// Back to a page, with what came of it; what no person can mend is an error page.
pub(super) fn told<T>(caller: &PageCaller, back: &str, done: ApiResult<T>, good: &str) -> PageResult {
    match done {
        Ok(_) => caller.see_other(back, Flash::done(good)),
        Err(refused) if [StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY].contains(&refused.status) => {
            caller.see_other(back, Flash::failed(format!("Nothing was changed: {}.", refused.message)))
        }
        Err(refused) => Err(refused.into()),
    }
}

#[derive(Deserialize)]
struct Nothing {}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Why {
    reason: String,
}

async fn approve(
    State(app): State<App>,
    caller: PageCan<right::PlatformTenantsWrite>,
    Path(id): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let done: ApiResult<()> = async {
        let mut tx = caller.begin(&app).await?;
        service::approve(&app, &caller.caller, &mut tx, id).await?;
        Ok(tx.save().await?)
    }
    .await;
    told(&caller, HERE, done, "The company is in. Its owner has a mail.")
}

async fn refuse(
    State(app): State<App>,
    caller: PageCan<right::PlatformTenantsWrite>,
    Path(id): Path<Uuid>,
    Form(why): Form<Why>,
) -> PageResult {
    let done: ApiResult<()> = async {
        let mut tx = caller.begin(&app).await?;
        service::refuse(&app, &caller.caller, &mut tx, id, &why.reason).await?;
        Ok(tx.save().await?)
    }
    .await;
    told(&caller, HERE, done, "The registration is refused. Whoever made it has a mail with the reason.")
}

fn of(tenant: Uuid) -> String {
    format!("/operator/tenants/{tenant}")
}

async fn act(app: &App, caller: &PageCaller, tenant: Uuid, act: Act) -> ApiResult<()> {
    let mut tx = caller.begin(app).await?;
    service::act(app, &caller.caller, &mut tx, TenantId::from_uuid(tenant), act).await?;
    Ok(tx.save().await?)
}

/// How a company stands from now on.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum To {
    Suspend,
    Resume,
    Close,
    Keep,
}

#[derive(Deserialize)]
struct Stand {
    to: To,
    #[serde(default)]
    reason: String,
}

async fn standing(
    State(app): State<App>,
    caller: PageCan<right::PlatformTenantsWrite>,
    Path(tenant): Path<Uuid>,
    Form(form): Form<Stand>,
) -> PageResult {
    let (what, said) = match form.to {
        To::Suspend => (Act::Suspend(form.reason), "The company is suspended. Its owners have a mail with the reason."),
        To::Resume => (Act::Resume, "The company can work again."),
        To::Close => (Act::Close, "The company will be closed in thirty days."),
        To::Keep => (Act::Keep, "The company stays."),
    };
    let done = act(&app, &caller, tenant, what).await;
    told(&caller, &of(tenant), done, said)
}

#[derive(Deserialize)]
struct Switch {
    #[serde(default)]
    module: String,
    #[serde(default)]
    feature: String,
    /// `on`, `off`, or as everybody.
    to: String,
}

async fn switch(
    State(app): State<App>,
    caller: PageCan<right::PlatformModulesWrite>,
    Path(tenant): Path<Uuid>,
    Form(form): Form<Switch>,
) -> PageResult {
    let enabled = match form.to.as_str() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    };
    let what =
        if form.feature.is_empty() { Act::Module(form.module, enabled) } else { Act::Feature(form.feature, enabled) };
    let done = act(&app, &caller, tenant, what).await;
    told(&caller, &of(tenant), done, "Switched; it is felt at once.")
}

#[derive(Deserialize)]
struct Ask {
    reason: String,
    minutes: i16,
    #[serde(default)]
    writes: String,
}

async fn ask(
    State(app): State<App>,
    caller: PageCan<right::PlatformImpersonate>,
    Path(tenant): Path<Uuid>,
    Form(form): Form<Ask>,
) -> PageResult {
    let new = NewVisit { reason: form.reason, minutes: form.minutes, writes: !form.writes.is_empty() };
    let done: ApiResult<()> = async {
        let mut tx = caller.begin(&app).await?;
        visits::ask(&app, &caller.caller, &mut tx, TenantId::from_uuid(tenant), new).await?;
        Ok(tx.save().await?)
    }
    .await;
    told(&caller, &of(tenant), done, "Asked. Its owners have a mail; the answer stands here.")
}

async fn open(
    State(app): State<App>,
    caller: PageCan<right::PlatformImpersonate>,
    context: Context,
    Path((tenant, visit)): Path<(Uuid, Uuid)>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let opened: ApiResult<(String, i64)> = async {
        let mut tx = caller.begin(&app).await?;
        let of = (TenantId::from_uuid(tenant), visit);
        let opened = visits::open(&app, &caller.caller, &mut tx, of, &context).await?;
        tx.save().await?;
        Ok(opened)
    }
    .await;
    let (key, seconds) = match opened {
        Ok(opened) => opened,
        Err(refused) => return told::<()>(&caller, &of(tenant), Err(refused), ""),
    };
    let mut response = caller.see_other("/", Flash::done("You look in as a guest now."))?;
    let guest = cookie::write(caller.way(), caller.way().guest_name(), &key, seconds);
    response.headers_mut().append(header::SET_COOKIE, guest);
    Ok(response)
}

async fn end(
    State(app): State<App>,
    caller: PageCan<right::PlatformImpersonate>,
    Path((tenant, visit)): Path<(Uuid, Uuid)>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let done: ApiResult<()> = async {
        let mut tx = caller.begin(&app).await?;
        visits::end_by_operator(&app, &caller.caller, &mut tx, TenantId::from_uuid(tenant), visit).await?;
        Ok(tx.save().await?)
    }
    .await;
    told(&caller, &of(tenant), done, "It is over.")
}
