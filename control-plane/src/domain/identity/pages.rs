//! Signing in and out at the pages. No SQL, no decisions.

use askama::Template;
use axum::extract::{FromRequestParts as _, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::page_sessions::{self, Entered, Entry};
use super::rules::PAGE_MILLIS;
use super::service;
use super::types::TenantRef;
use crate::app::App;
use crate::domain::mfa;
use crate::http::context::Context;
use crate::http::error::Code;
use crate::http::{ApiError, ApiResult};
use crate::web::caller::{flash_of, with_flash};
use crate::web::cookie::{self, Way};
use crate::web::respond::{self, own_path};
use crate::web::{Flash, Form, OpenForm, PageCaller, PageResult, Pages};

/// How long a browser keeps the cookie by which it is known again, in seconds.
const BROWSER_SECONDS: i64 = 365 * 24 * 3_600;

/// The pages of identity.
pub fn pages() -> Pages {
    Pages::new()
        .open(Method::GET, "/sign-in", ask)
        .open(Method::POST, "/sign-in", enter)
        .open(Method::POST, "/sign-in/company", choose)
        .route(Method::POST, "/sign-out", leave)
        .merge(super::account::pages::pages())
        .merge(super::account::doors::pages())
}

#[derive(Template)]
#[template(path = "domain/identity/templates/sign_in.html")]
struct SignIn<'a> {
    email: &'a str,
    next: &'a str,
    /// What went wrong with the try before.
    error: Option<String>,
    note: Option<Flash>,
    /// Where there is TLS, when this is not.
    encrypted: Option<String>,
}

#[derive(Template)]
#[template(path = "domain/identity/templates/choose.html")]
struct Choose<'a> {
    ticket: &'a str,
    next: &'a str,
    tenants: &'a [TenantRef],
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

fn next_of(next: &str) -> &str {
    own_path(next).unwrap_or("/")
}

/// The sign-in. Who is signed in already goes on.
async fn ask(State(app): State<App>, Query(wanted): Query<Wanted>, mut parts: Parts) -> PageResult {
    let next = next_of(&wanted.next);
    let way = Way::of(&parts, &app);
    if PageCaller::from_request_parts(&mut parts, &app).await.is_ok() {
        return Ok(respond::see_other(next));
    }
    let encrypted = app.places().tcp.filter(|_| way == Way::Plain).map(|tcp| format!("https://{tcp}/sign-in"));
    let page = SignIn { email: "", next, error: None, note: flash_of(&parts), encrypted };
    Ok(respond::html(StatusCode::OK, &page)?)
}

#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

async fn enter(
    State(app): State<App>,
    context: Context,
    parts: Parts,
    OpenForm(form): OpenForm<Credentials>,
) -> PageResult {
    let way = Way::of(&parts, &app);
    let next = next_of(&form.next);
    let entered = match app.gates.sign_in(context.address()) {
        Ok(()) => page_sessions::enter(&app, &form.email, &form.password, &context, way.browser(&parts.headers)).await,
        Err(refused) => Err(refused),
    };
    match entered {
        Ok(entered) => arrived(way, next, entered),
        Err(refused) => again(&form.email, next, refused),
    }
}

/// Where somebody stands who has proved who they are: in, before the second factor, or before a choice.
pub(crate) fn arrived(way: Way, next: &str, entered: Entered) -> PageResult {
    match entered {
        Entered::In(entry) => Ok(opened(way, next, &entry)),
        Entered::Second(second) => Ok(mfa::to_second(way, next, &second)),
        Entered::Choose { ticket, tenants } => {
            Ok(respond::html(StatusCode::OK, &Choose { ticket: &ticket, next, tenants: &tenants })?)
        }
    }
}

/// The sign-in again, with what went wrong; what is our own fault is an error page.
fn again(email: &str, next: &str, refused: ApiError) -> PageResult {
    let said = match refused.code {
        Code::Authn => "The e-mail or the password is wrong.".to_owned(),
        Code::Validation if refused.details.as_ref().is_some_and(|details| details["field"] == "email") => {
            "This is not an e-mail address such as owner@example.com.".to_owned()
        }
        Code::Validation => refused.message.clone(),
        Code::RateLimit => {
            let minutes = refused.retry_after.unwrap_or(60).div_ceil(60);
            format!("Too many tries. Wait {minutes} min, then try again.")
        }
        Code::Authz | Code::NotFound | Code::Conflict | Code::Internal => return Err(refused.into()),
    };
    let page = SignIn { email, next, error: Some(said), note: None, encrypted: None };
    let mut response = respond::html(refused.status, &page)?;
    if let Some(seconds) = refused.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response.extensions_mut().insert(refused.code);
    Ok(response)
}

#[derive(Deserialize)]
struct Choice {
    ticket: String,
    tenant: Uuid,
    #[serde(default)]
    next: String,
}

async fn choose(State(app): State<App>, context: Context, parts: Parts, OpenForm(form): OpenForm<Choice>) -> Response {
    let way = Way::of(&parts, &app);
    let chosen: ApiResult<Entered> = match app.gates.sign_in(context.address()) {
        Ok(()) => page_sessions::choose(&app, &form.ticket, form.tenant, &context, way.browser(&parts.headers)).await,
        Err(refused) => Err(refused),
    };
    match chosen {
        Ok(entered) => arrived(way, next_of(&form.next), entered).unwrap_or_else(IntoResponse::into_response),
        Err(refused) if refused.code == Code::Authn => with_flash(way, "/sign-in", &Flash::failed(refused.message)),
        Err(refused) => crate::web::PageError(refused).into_response(),
    }
}

fn opened(way: Way, next: &str, entry: &Entry) -> Response {
    let mut response = respond::see_other(next);
    let cookie = cookie::write(way, way.session_name(), &entry.key, PAGE_MILLIS / 1_000);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    let browser = cookie::write(way, way.browser_name(), &entry.browser, BROWSER_SECONDS);
    response.headers_mut().append(header::SET_COOKIE, browser);
    response
}

#[derive(Deserialize)]
struct Nothing {}

async fn leave(
    State(app): State<App>,
    caller: PageCaller,
    parts: Parts,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let way = Way::of(&parts, &app);
    service::logout(&app, &caller.caller).await?;
    let mut response = with_flash(way, "/sign-in", &Flash::done("You are signed out."));
    response.headers_mut().append(header::SET_COOKIE, cookie::write(way, way.session_name(), "", 0));
    Ok(response)
}
