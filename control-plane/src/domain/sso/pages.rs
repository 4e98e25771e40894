//! The pages of the company's providers: the list, one of them, a new one; and the accounts that somebody links to
//! themselves. No SQL, no decisions.

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::Deserialize;
use uuid::Uuid;

use super::service::{self, By};
use super::types::{Hidden, NewProvider, Provider, ProviderPatch, Tested};
use super::{doors, rules};
use crate::app::App;
use crate::auth::policy::{Permission, right};
use crate::http::{ApiError, IfMatch, Path};
use crate::web::{Flash, Form, Nav, PageCaller, PageCan, PageResult, Pages, Shell};

/// The pages of single sign-on, with the doors of those who are not signed in yet.
pub fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, "/settings/sso", list)
        .route(Method::POST, "/settings/sso", create)
        .route(Method::GET, "/settings/sso/new", new)
        .route(Method::GET, "/settings/sso/{id}", one)
        .route(Method::POST, "/settings/sso/{id}", update)
        .route(Method::POST, "/settings/sso/{id}/test", test)
        .route(Method::POST, "/settings/sso/{id}/remove", remove)
        .merge(doors::doors())
}

#[derive(Template)]
#[template(path = "domain/sso/templates/list.html")]
struct List {
    shell: Shell,
    providers: Vec<Provider>,
    writes: bool,
    /// Where people of this company begin.
    door: String,
    enforced: bool,
}

async fn list(State(app): State<App>, caller: PageCan<right::SsoRead>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let providers = service::list(&mut tx).await?;
    let door = service::door(&app, caller.caller.tenant);
    let writes = caller.policy.may(Permission::SsoWrite);
    let enforced = providers.iter().any(|provider| provider.enabled && provider.enforced);
    caller.page(&List { shell: Shell::new(&caller, Nav::Sso, "Single sign-on"), providers, writes, door, enforced })
}

/// A provider, as typed. The secret is never put back into a form.
#[derive(Clone, Debug, Default, Deserialize)]
struct Typed {
    #[serde(default)]
    label: String,
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: String,
    #[serde(default)]
    domains: String,
    #[serde(default)]
    newcomer_role: String,
    #[serde(default)]
    enabled: String,
    #[serde(default)]
    enforced: String,
    #[serde(default)]
    seen: u64,
}

impl Typed {
    fn of(provider: &Provider) -> Self {
        let mark = |on: bool| if on { "1".to_owned() } else { String::new() };
        Self {
            label: provider.label.clone(),
            issuer: provider.issuer.clone(),
            client_id: provider.client_id.clone(),
            client_secret: String::new(),
            domains: provider.domains.join(", "),
            newcomer_role: provider.newcomer_role.clone().unwrap_or_default(),
            enabled: mark(provider.enabled),
            enforced: mark(provider.enforced),
            seen: provider.version,
        }
    }

    fn domains(&self) -> Vec<String> {
        let parts = self.domains.split([',', ';', ' ', '\n', '\r', '\t']).filter(|part| !part.is_empty());
        parts.map(str::to_owned).take(rules::DOMAINS + 1).collect()
    }
}

/// What was wrong with a form: the field, if it is one, and why.
struct Wrong {
    field: String,
    message: String,
}

impl Wrong {
    fn of(error: ApiError) -> Result<Self, ApiError> {
        if !matches!(
            error.status,
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED
        ) {
            return Err(error);
        }
        let field = error.details.as_ref().and_then(|details| details["field"].as_str()).unwrap_or_default().to_owned();
        Ok(Self { field, message: error.message })
    }
}

#[derive(Template)]
#[template(path = "domain/sso/templates/one.html")]
struct One {
    shell: Shell,
    /// None: a new one.
    provider: Option<Provider>,
    typed: Typed,
    wrong: Option<Wrong>,
    tested: Option<Tested>,
    roles: Vec<(&'static str, &'static str)>,
    redirect: String,
    writes: bool,
}

impl One {
    fn new(app: &App, caller: &PageCaller, provider: Option<Provider>, typed: Typed) -> Self {
        let title = provider.as_ref().map_or_else(|| "A new provider".to_owned(), |provider| provider.label.clone());
        Self {
            shell: Shell::new(caller, Nav::Sso, title),
            typed,
            provider,
            wrong: None,
            tested: None,
            roles: service::newcomer_roles(),
            redirect: service::redirect_uri(app),
            writes: caller.policy.may(Permission::SsoWrite),
        }
    }
}

async fn new(State(app): State<App>, caller: PageCan<right::SsoWrite>) -> PageResult {
    let typed = Typed { enabled: "1".to_owned(), ..Typed::default() };
    caller.page(&One::new(&app, &caller, None, typed))
}

async fn create(State(app): State<App>, caller: PageCan<right::SsoWrite>, Form(typed): Form<Typed>) -> PageResult {
    let new = NewProvider {
        label: typed.label.clone(),
        issuer: typed.issuer.clone(),
        client_id: typed.client_id.clone(),
        client_secret: Hidden(typed.client_secret.clone()),
        domains: typed.domains(),
        newcomer_role: Some(typed.newcomer_role.clone()),
        enabled: !typed.enabled.is_empty(),
        enforced: !typed.enforced.is_empty(),
    };
    let mut tx = caller.begin(&app).await?;
    match service::create(&app, &mut tx, By(&caller.caller, &caller.policy), new).await {
        Ok(made) => {
            tx.save().await?;
            caller.see_other(
                &format!("/settings/sso/{}", made.id),
                Flash::done(format!("{} is added. Test it now.", made.label)),
            )
        }
        Err(error) => {
            let page = One { wrong: Some(Wrong::of(error)?), ..One::new(&app, &caller, None, typed) };
            caller.page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

async fn one(State(app): State<App>, caller: PageCan<right::SsoRead>, Path(id): Path<Uuid>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let provider = service::get(&mut tx, id).await?;
    let typed = Typed::of(&provider);
    caller.page(&One::new(&app, &caller, Some(provider), typed))
}

async fn update(
    State(app): State<App>,
    caller: PageCan<right::SsoWrite>,
    Path(id): Path<Uuid>,
    Form(typed): Form<Typed>,
) -> PageResult {
    let patch = ProviderPatch {
        label: Some(typed.label.clone()),
        client_id: Some(typed.client_id.clone()),
        client_secret: Some(typed.client_secret.clone()).filter(|secret| !secret.is_empty()).map(Hidden),
        domains: Some(typed.domains()),
        newcomer_role: Some(typed.newcomer_role.clone()),
        enabled: Some(!typed.enabled.is_empty()),
        enforced: Some(!typed.enforced.is_empty()),
    };
    let mut tx = caller.begin(&app).await?;
    let seen = IfMatch::version(typed.seen);
    match service::update(&app, &mut tx, By(&caller.caller, &caller.policy), id, &seen, patch).await {
        Ok(provider) => {
            tx.save().await?;
            caller.see_other(&format!("/settings/sso/{id}"), Flash::done(format!("{} is saved.", provider.label)))
        }
        Err(error) => {
            let wrong = Some(Wrong::of(error)?);
            let provider = service::get(&mut tx, id).await?;
            // What they typed stays; the version is the one that is there now, so that a second try is a decision.
            let typed = Typed { seen: provider.version, issuer: provider.issuer.clone(), ..typed };
            let page = One { wrong, ..One::new(&app, &caller, Some(provider), typed) };
            caller.page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

#[derive(Deserialize)]
struct Nothing {}

async fn test(
    State(app): State<App>,
    caller: PageCan<right::SsoWrite>,
    Path(id): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let provider = service::get(&mut tx, id).await?;
    drop(tx);
    let tested = Some(service::test(&app, &provider.issuer).await?);
    let typed = Typed::of(&provider);
    caller.page(&One { tested, ..One::new(&app, &caller, Some(provider), typed) })
}

#[derive(Deserialize)]
struct Removal {
    seen: u64,
}

async fn remove(
    State(app): State<App>,
    caller: PageCan<right::SsoWrite>,
    Path(id): Path<Uuid>,
    Form(Removal { seen }): Form<Removal>,
) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    match service::remove(&app, &mut tx, &caller.caller, id, &IfMatch::version(seen)).await {
        Ok(()) => {
            tx.save().await?;
            caller.see_other("/settings/sso", Flash::done("The provider is removed. Its people are no longer linked."))
        }
        Err(error) if error.status == StatusCode::PRECONDITION_FAILED => caller.see_other(
            &format!("/settings/sso/{id}"),
            Flash::failed("It was changed meanwhile: look before you remove it."),
        ),
        Err(error) => Err(error.into()),
    }
}
