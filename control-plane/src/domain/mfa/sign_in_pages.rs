//! The second step of the sign-in, and the sign-in with a passkey alone, at the pages. The token of a sign-in that waits
//! is kept in a cookie, so that the page can be loaded again.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::pages::{Answered, challenge, words};
use super::rules::STEP_MILLIS;
use super::second::{self, Shown};
use super::types::{Method as Factor, Second};
use super::{party, sign_in};
use crate::app::App;
use crate::domain::identity::{self, Entered, Proof};
use crate::http::context::Context;
use crate::http::error::Code;
use crate::http::{ApiError, ApiResult};
use crate::web::caller::with_flash;
use crate::web::cookie::{self, Way};
use crate::web::respond::{self, encoded, own_path};
use crate::web::{Flash, OpenForm, PageResult, Pages};

const SECOND: &str = "/sign-in/second";

/// The pages.
pub(super) fn pages() -> Pages {
    Pages::new()
        .open(Method::GET, SECOND, ask)
        .open(Method::POST, SECOND, show)
        .open(Method::POST, "/sign-in/second/passkey/begin", begin)
        .open(Method::POST, "/sign-in/second/passkey", show_passkey)
        .open(Method::POST, "/sign-in/passkey/begin", begin_alone)
        .open(Method::POST, "/sign-in/passkey", alone)
}

#[derive(Template)]
#[template(path = "domain/mfa/templates/second.html")]
struct SecondPage<'a> {
    next: &'a str,
    error: Option<String>,
    totp: bool,
    passkey: bool,
    recovery: bool,
}

const fn cookie_name(way: Way) -> &'static str {
    match way {
        Way::Tls | Way::Plain => "__Host-tillway-step",
        Way::Loopback => "tillway-step",
    }
}

fn next_of(next: &str) -> &str {
    own_path(next).unwrap_or("/")
}

/// Leads to the second step; the browser keeps the token meanwhile.
pub(crate) fn to_second(way: Way, next: &str, second: &Second) -> Response {
    let mut response = respond::see_other(&format!("{SECOND}?next={}", encoded(next)));
    let cookie = cookie::write(way, cookie_name(way), &second.token, STEP_MILLIS / 1_000);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

fn token(way: Way, parts: &Parts) -> &str {
    cookie::read(&parts.headers, cookie_name(way)).unwrap_or_default()
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

async fn ask(State(app): State<App>, Query(wanted): Query<Wanted>, parts: Parts) -> PageResult {
    again(&app, &parts, next_of(&wanted.next), StatusCode::OK, None).await
}

/// The page of the second step, with what went wrong.
async fn again(app: &App, parts: &Parts, next: &str, status: StatusCode, error: Option<String>) -> PageResult {
    let way = Way::of(parts, app);
    let methods = match second::waiting(app, token(way, parts)).await {
        Ok(methods) => methods,
        Err(refused) if refused.code == Code::Authn => return Ok(late(way)),
        Err(refused) => return Err(refused.into()),
    };
    let has = |method| methods.contains(&method);
    let page = SecondPage {
        next,
        error,
        totp: has(Factor::Totp),
        passkey: has(Factor::Passkey) && party::is_known(app),
        recovery: has(Factor::Recovery),
    };
    Ok(respond::html(status, &page)?)
}

fn late(way: Way) -> Response {
    with_flash(way, "/sign-in", &Flash::failed("The sign-in took too long. Begin again with your password."))
}

#[derive(Deserialize)]
struct Shows {
    #[serde(default)]
    code: String,
    #[serde(default)]
    recovery: String,
    #[serde(default)]
    next: String,
}

async fn show(State(app): State<App>, context: Context, parts: Parts, OpenForm(form): OpenForm<Shows>) -> PageResult {
    let (shown, wrong) = if form.recovery.is_empty() {
        (Shown::Totp(&form.code), "The code is wrong or was used before. Wait for the next one and type that.")
    } else {
        (Shown::Recovery(&form.recovery), "This recovery code is wrong or was used before.")
    };
    finish(&app, &context, &parts, shown, &form.next, wrong).await
}

async fn show_passkey(
    State(app): State<App>,
    context: Context,
    parts: Parts,
    OpenForm(form): OpenForm<Answered>,
) -> PageResult {
    let answer = form.answer();
    let wrong = "The passkey did not answer in time, or is not yours. Try again.";
    finish(&app, &context, &parts, Shown::Passkey(&answer), &form.next, wrong).await
}

async fn finish(app: &App, context: &Context, parts: &Parts, shown: Shown<'_>, next: &str, wrong: &str) -> PageResult {
    let (way, next) = (Way::of(parts, app), next_of(next));
    match enter(app, context, parts, way, shown).await {
        Ok(entered) => {
            let mut response = identity::arrived(way, next, entered)?;
            let gone = cookie::write(way, cookie_name(way), "", 0);
            response.headers_mut().append(header::SET_COOKIE, gone);
            Ok(response)
        }
        Err(refused) if matches!(refused.code, Code::Authn | Code::RateLimit) => {
            let said = words(&refused, wrong);
            let mut response = again(app, parts, next, refused.status, Some(said)).await?;
            if let Some(seconds) = refused.retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            Ok(response)
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn enter(app: &App, context: &Context, parts: &Parts, way: Way, shown: Shown<'_>) -> ApiResult<Entered> {
    app.gates.sign_in(context.address())?;
    let (person, tenant) = second::show(app, token(way, parts), shown).await?;
    let browser = way.browser(&parts.headers);
    let entry = identity::service::open_page(app, tenant, person, Proof::PasswordAndFactor, context, browser).await?;
    Ok(Entered::In(entry))
}

async fn begin(
    State(app): State<App>,
    context: Context,
    parts: Parts,
    OpenForm(Wanted { next: _ }): OpenForm<Wanted>,
) -> PageResult {
    app.gates.sign_in(context.address())?;
    match second::challenge(&app, token(Way::of(&parts, &app), &parts)).await {
        // The step is over: the page says so when it is loaded again.
        Err(refused) if refused.code == Code::Authn => {
            Err(ApiError::conflict("The sign-in took too long. Begin again with your password.").into())
        }
        begun => challenge(begun),
    }
}

async fn begin_alone(
    State(app): State<App>,
    context: Context,
    OpenForm(Wanted { next: _ }): OpenForm<Wanted>,
) -> PageResult {
    app.gates.sign_in(context.address())?;
    challenge(sign_in::challenge(&app).await)
}

async fn alone(
    State(app): State<App>,
    context: Context,
    parts: Parts,
    OpenForm(form): OpenForm<Answered>,
) -> PageResult {
    let way = Way::of(&parts, &app);
    app.gates.sign_in(context.address())?;
    let entered = match sign_in::recognise(&app, &form.answer()).await {
        Ok(person) => {
            let browser = way.browser(&parts.headers);
            identity::service::enter_page(&app, person, Proof::Passkey, &context, browser).await
        }
        Err(refused) => Err(refused),
    };
    match entered {
        Ok(entered) => identity::arrived(way, next_of(&form.next), entered),
        Err(refused) if refused.code == Code::Authn => {
            let said = "Head office does not know this passkey, or it took too long. Try again, or use your password.";
            Ok(with_flash(way, "/sign-in", &Flash::failed(said)))
        }
        Err(refused) => Err(refused.into()),
    }
}
