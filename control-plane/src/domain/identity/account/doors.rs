//! The open pages of an account: for whoever forgot the password, and for whoever follows a link of a mail. A link is looked
//! at with GET and used with POST alone: programs that read mail open every link.

use askama::Template;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::types::Reset;
use super::{email, password};
use crate::app::App;
use crate::http::context::Context;
use crate::http::{ApiError, ApiResult, Path};
use crate::web::caller::with_flash;
use crate::web::cookie::Way;
use crate::web::respond;
use crate::web::{Flash, OpenForm, PageResult, Pages};

/// The open pages of accounts.
pub fn pages() -> Pages {
    Pages::new()
        .open(Method::GET, "/forgot", ask)
        .open(Method::POST, "/forgot", send)
        .open(Method::GET, "/reset/{token}", choose)
        .open(Method::POST, "/reset/{token}", set)
        .open(Method::GET, "/email/{door}/{token}", look)
        .open(Method::POST, "/email/{door}/{token}", answer)
}

#[derive(Template)]
#[template(path = "domain/identity/templates/forgot.html")]
struct ForgotPage<'a> {
    email: &'a str,
    sent: bool,
    error: Option<&'a str>,
}

async fn ask() -> PageResult {
    Ok(respond::html(StatusCode::OK, &ForgotPage { email: "", sent: false, error: None })?)
}

#[derive(Deserialize)]
struct ForgotForm {
    #[serde(default)]
    email: String,
}

async fn send(State(app): State<App>, context: Context, OpenForm(form): OpenForm<ForgotForm>) -> PageResult {
    app.gates.sign_in(context.address())?;
    let email = form.email.trim();
    match password::forgot(&app, email).await {
        Ok(()) => Ok(respond::html(StatusCode::OK, &ForgotPage { email, sent: true, error: None })?),
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let error_text = "This is not an e-mail address such as owner@example.com.";
            Ok(respond::html(error.status, &ForgotPage { email, sent: false, error: Some(error_text) })?)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "domain/identity/templates/reset.html")]
struct ResetPage<'a> {
    token: &'a str,
    good: bool,
    error: Option<String>,
}

async fn choose(State(app): State<App>, context: Context, Path(token): Path<String>) -> PageResult {
    app.gates.sign_in(context.address())?;
    let good = password::link_is_good(&app, &token).await?;
    let status = if good { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(respond::html(status, &ResetPage { token: &token, good, error: None })?)
}

#[derive(Deserialize)]
struct ResetForm {
    #[serde(default)]
    password: String,
}

async fn set(
    State(app): State<App>,
    context: Context,
    parts: Parts,
    Path(token): Path<String>,
    OpenForm(form): OpenForm<ResetForm>,
) -> PageResult {
    app.gates.sign_in(context.address())?;
    let reset = Reset { token, password: form.password };
    match password::reset(&app, &reset, &context).await {
        Ok(()) => {
            let said = Flash::done("Your new password is set, and all sessions have ended. Sign in with it.");
            Ok(with_flash(Way::of(&parts, &app), "/sign-in", &said))
        }
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let good = error.details.as_ref().is_some_and(|details| details["field"] == "password");
            let said = error.message.split_once(": ").map(|(_, said)| said.to_owned()).filter(|_| good);
            Ok(respond::html(error.status, &ResetPage { token: &reset.token, good, error: said })?)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "domain/identity/templates/email.html")]
struct EmailPage<'a> {
    door: &'a str,
    token: &'a str,
    /// The new e-mail; none when the link is not good.
    email: Option<String>,
}

/// Which of the two links: true for the one that stops.
fn stops(door: &str) -> ApiResult<bool> {
    match door {
        "confirm" => Ok(false),
        "stop" => Ok(true),
        _ => Err(ApiError::not_found("page")),
    }
}

async fn look(State(app): State<App>, context: Context, Path((door, token)): Path<(String, String)>) -> PageResult {
    app.gates.sign_in(context.address())?;
    let email = email::look(&app, &token, stops(&door)?).await?;
    let status = if email.is_some() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(respond::html(status, &EmailPage { door: &door, token: &token, email })?)
}

#[derive(Deserialize)]
struct Nothing {}

async fn answer(
    State(app): State<App>,
    context: Context,
    parts: Parts,
    Path((door, token)): Path<(String, String)>,
    OpenForm(Nothing {}): OpenForm<Nothing>,
) -> PageResult {
    app.gates.sign_in(context.address())?;
    let done: ApiResult<String> = if stops(&door)? {
        let stopped = email::stop(&app, &token, &context).await;
        stopped.map(|()| "The change is off. If you did not ask for it, set a new password.".to_owned())
    } else {
        let confirmed = email::confirm(&app, &token, &context).await;
        confirmed.map(|now| format!("From now on {} signs you in.", now.email))
    };
    let way = Way::of(&parts, &app);
    let to: Response = match done {
        Ok(said) => with_flash(way, "/sign-in", &Flash::done(said)),
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            respond::html(error.status, &EmailPage { door: &door, token: &token, email: None })?
        }
        Err(error) if error.status == StatusCode::CONFLICT => with_flash(
            way,
            "/sign-in",
            &Flash::failed("That address signs in another person already; nothing was changed."),
        ),
        Err(error) => return Err(error.into()),
    };
    Ok(to)
}
