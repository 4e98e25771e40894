//! The doors of single sign-on: choosing a provider, going there, coming back; and linking an account to who is signed in.
//! No SQL, no decisions.

use askama::Template;
use axum::extract::{FromRequestParts as _, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use protocol::id::TenantId;
use serde::Deserialize;
use uuid::Uuid;

use super::fault::Fault;
use super::flow::{self, Back, Done, Failed, Wish};
use super::rules::Browser;
use super::service;
use super::types::{Linked, Offer};
use crate::app::App;
use crate::domain::{identity, mfa};
use crate::http::context::Context;
use crate::http::error::Code;
use crate::http::{ApiError, Path, Query};
use crate::rng;
use crate::web::cookie::{self, Way};
use crate::web::respond::{self, encoded, own_path};
use crate::web::{Flash, Form, Nav, OpenForm, PageCaller, PageResult, Pages, Shell};

/// Seconds that the browser keeps its secret: as long as its failures are counted, and a sign-in on top.
const COOKIE_SECONDS: i64 = 25 * 60;

/// The doors.
pub(super) fn doors() -> Pages {
    Pages::new()
        .open(Method::GET, "/sign-in/sso", choose)
        .open(Method::POST, "/sign-in/sso", by_email)
        .open(Method::GET, "/sign-in/sso/start", start)
        .open(Method::GET, "/sign-in/sso/callback", callback)
        .route(Method::GET, "/me/sso", mine)
        .route(Method::POST, "/me/sso/{id}/link", link)
        .route(Method::POST, "/me/sso/{id}/unlink", unlink)
}

const fn cookie_name(way: Way) -> &'static str {
    match way {
        Way::Tls | Way::Plain => "__Host-tillway-sso",
        Way::Loopback => "tillway-sso",
    }
}

fn browser_of(parts: &Parts, way: Way) -> Option<Browser> {
    cookie::read(&parts.headers, cookie_name(way)).and_then(Browser::read)
}

fn keep(response: &mut Response, way: Way, browser: &Browser) {
    let line = cookie::write(way, cookie_name(way), &browser.text(), COOKIE_SECONDS);
    response.headers_mut().append(header::SET_COOKIE, line);
}

#[derive(Template)]
#[template(path = "domain/sso/templates/choose.html")]
struct Choose<'a> {
    offers: Vec<Offer>,
    /// Whether somebody asked and nothing was found.
    asked: bool,
    email: &'a str,
    next: &'a str,
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    tenant: Option<Uuid>,
    #[serde(default)]
    next: String,
}

async fn choose(State(app): State<App>, context: Context, Query(wanted): Query<Wanted>) -> PageResult {
    app.gates.sign_in(context.address())?;
    let offers = match wanted.tenant {
        Some(tenant) => service::offers(&app, TenantId::from_uuid(tenant)).await?,
        None => Vec::new(),
    };
    let next = own_path(&wanted.next).unwrap_or("/");
    let page = Choose { offers, asked: wanted.tenant.is_some(), email: "", next, error: None };
    Ok(respond::html(StatusCode::OK, &page)?)
}

#[derive(Deserialize)]
struct Email {
    #[serde(default)]
    email: String,
    #[serde(default)]
    next: String,
}

async fn by_email(State(app): State<App>, context: Context, OpenForm(form): OpenForm<Email>) -> PageResult {
    app.gates.sign_in(context.address())?;
    let next = own_path(&form.next).unwrap_or("/");
    match service::offers_of_email(&app, &form.email).await {
        Ok(offers) => {
            let page = Choose { offers, asked: true, email: &form.email, next, error: None };
            Ok(respond::html(StatusCode::OK, &page)?)
        }
        Err(error) if error.code == Code::Validation => {
            let error = Some("This is not an e-mail address such as owner@example.com.".to_owned());
            let page = Choose { offers: Vec::new(), asked: false, email: &form.email, next, error };
            Ok(respond::html(StatusCode::UNPROCESSABLE_ENTITY, &page)?)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
struct Start {
    tenant: Uuid,
    provider: Uuid,
    #[serde(default)]
    next: String,
    /// Whether they shall prove themselves again.
    #[serde(default)]
    anew: bool,
}

/// Away to the provider. A link, not a form: the rules of our pages let no form end at another host.
async fn start(State(app): State<App>, context: Context, Query(start): Query<Start>, parts: Parts) -> PageResult {
    app.gates.sign_in(context.address())?;
    let way = Way::of(&parts, &app);
    let next = own_path(&start.next).unwrap_or("/");
    let tenant = TenantId::from_uuid(start.tenant);
    if parts.headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        // A link of another site or of a mail signs nobody in as somebody of its choice, and ends nobody's session: the
        // person presses the button themselves.
        let offers = service::offers(&app, tenant).await?;
        return Ok(respond::html(StatusCode::OK, &Choose { offers, asked: true, email: "", next, error: None })?);
    }
    let browser = browser_of(&parts, way).unwrap_or_else(|| Browser::new(rng::bytes()));
    let wish = Wish { link: None, anew: start.anew, next };
    let mut response = match flow::begin(&app, &context, (tenant, start.provider), browser, wish).await {
        Ok(url) => respond::away(url.as_str()),
        Err(fault) => failed(Failed { fault, tenant: Some(tenant) })?,
    };
    keep(&mut response, way, &browser);
    Ok(response)
}

async fn callback(State(app): State<App>, context: Context, Query(back): Query<Back>, mut parts: Parts) -> PageResult {
    app.gates.sign_in(context.address())?;
    let way = Way::of(&parts, &app);
    let browser = browser_of(&parts, way);
    let session = PageCaller::from_request_parts(&mut parts, &app).await.ok();
    let ended = flow::finish(&app, &context, browser, session.as_ref().map(|page| page.caller), back).await;
    match (ended, session) {
        (Ok(Done::In { key, next }), before) => {
            if let Some(before) = before {
                // One browser, one session: the new one proves more, or somebody else.
                identity::service::logout(&app, &before.caller).await?;
            }
            let mut response = respond::see_other(own_path(&next).unwrap_or("/"));
            let line = cookie::write(way, way.session_name(), &key, identity::by_provider::COOKIE_SECONDS);
            response.headers_mut().append(header::SET_COOKIE, line);
            Ok(response)
        }
        (Ok(Done::Linked { label }), Some(page)) => {
            page.see_other("/me/sso", Flash::done(format!("Linked. From now on you can sign in with {label}.")))
        }
        (Ok(Done::Linked { .. }), None) => Ok(respond::see_other("/me/sso")),
        (Err(why), _) => failed(why),
    }
}

#[derive(Template)]
#[template(path = "domain/sso/templates/failed.html")]
struct FailedPage {
    message: String,
    name: &'static str,
    again: String,
    blocked: bool,
}

fn failed(why: Failed) -> PageResult {
    let Failed { fault, tenant } = why;
    let (status, code, retry) = match &fault {
        Fault::Ours(error) => return Err(error.clone().into()),
        Fault::Blocked(seconds) => (StatusCode::TOO_MANY_REQUESTS, Code::RateLimit, Some(*seconds)),
        Fault::Down => (StatusCode::SERVICE_UNAVAILABLE, Code::Internal, Some(60)),
        Fault::Off => (StatusCode::NOT_FOUND, Code::NotFound, None),
        Fault::Address
        | Fault::TooLarge
        | Fault::Redirected
        | Fault::Metadata
        | Fault::OtherIssuer
        | Fault::Denied
        | Fault::Told
        | Fault::Stale
        | Fault::OtherBrowser
        | Fault::MixUp
        | Fault::Code
        | Fault::NoToken
        | Fault::Algorithm
        | Fault::Signature
        | Fault::Issuer
        | Fault::Audience
        | Fault::Nonce
        | Fault::Expired
        | Fault::Unknown
        | Fault::Email
        | Fault::Ended
        | Fault::Taken
        | Fault::OtherSession => (StatusCode::FORBIDDEN, Code::Authn, None),
    };
    let again = tenant.map_or_else(|| "/sign-in/sso".to_owned(), |tenant| format!("/sign-in/sso?tenant={tenant}"));
    let page = FailedPage { message: fault.said(), name: fault.name(), again, blocked: retry.is_some() };
    let mut response = respond::html(status, &page)?;
    if let Some(seconds) = retry {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response.extensions_mut().insert(code);
    Ok(response)
}

#[derive(Template)]
#[template(path = "domain/sso/templates/mine.html")]
struct Mine {
    shell: Shell,
    accounts: Vec<Linked>,
    tenant: TenantId,
}

async fn mine(State(app): State<App>, caller: PageCaller) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let accounts = service::linked(&mut tx, caller.caller.person).await?;
    let tenant = caller.caller.tenant;
    caller.page(&Mine { shell: Shell::new(&caller, Nav::Security, "Company accounts"), accounts, tenant })
}

#[derive(Template)]
#[template(path = "domain/sso/templates/onward.html")]
struct Onward<'a> {
    url: &'a str,
}

#[derive(Deserialize)]
struct Nothing {}

async fn link(
    State(app): State<App>,
    caller: PageCaller,
    context: Context,
    Path(id): Path<Uuid>,
    parts: Parts,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    match mfa::service::must_be_own(&app, &caller.caller).await {
        Ok(()) => {}
        Err(refused) if refused.code == Code::Authz => return Ok(respond::see_other("/me/confirm?next=/me/sso")),
        Err(refused) => return Err(refused.into()),
    }
    let way = Way::of(&parts, &app);
    let browser = browser_of(&parts, way).unwrap_or_else(|| Browser::new(rng::bytes()));
    let tenant = caller.caller.tenant;
    let wish = Wish { link: Some(&caller.caller), anew: false, next: "/me/sso" };
    let mut response = match flow::begin(&app, &context, (tenant, id), browser, wish).await {
        // A page, not a redirect: the rules of our pages let no form end at another host.
        Ok(url) => respond::html(StatusCode::OK, &Onward { url: url.as_str() })?,
        Err(Fault::Off) => return Err(ApiError::not_found("provider").into()),
        Err(fault) => failed(Failed { fault, tenant: Some(tenant) })?,
    };
    keep(&mut response, way, &browser);
    Ok(response)
}

async fn unlink(
    State(app): State<App>,
    caller: PageCaller,
    Path(id): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    service::unlink(&app, &mut tx, &caller.caller, id).await?;
    tx.save().await?;
    caller.see_other("/me/sso", Flash::done("The account is no longer linked to you."))
}

/// The address of one provider's button.
pub(super) fn start_path(offer: &Offer, next: &str) -> String {
    format!("/sign-in/sso/start?tenant={}&provider={}&next={}", offer.tenant, offer.provider, encoded(next))
}
