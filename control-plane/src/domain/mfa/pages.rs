//! The pages of one's own second factors, and of proving again who one is. No SQL, no decisions.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::second::Shown;
use super::step_up::{self, Proof};
use super::types::{NewPasskey, PasskeyAnswer, Standing, TotpBegun};
use super::{party, rules, service, sign_in_pages};
use crate::app::App;
use crate::http::context::Context;
use crate::http::error::Code;
use crate::http::{ApiError, ApiResult};
use crate::web::respond::{encoded, own_path, see_other};
use crate::web::{Flash, Form, Nav, PageCaller, PageResult, Pages, Shell};

const HOME: &str = "/me/security";

/// The pages of second factors.
pub fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, HOME, home)
        .route(Method::POST, "/me/security/totp", begin_totp)
        .route(Method::GET, "/me/security/totp", totp)
        .route(Method::POST, "/me/security/totp/confirm", confirm_totp)
        .route(Method::POST, "/me/security/totp/remove", remove_totp)
        .route(Method::POST, "/me/security/passkeys/begin", begin_passkey)
        .route(Method::POST, "/me/security/passkeys", add_passkey)
        .route(Method::POST, "/me/security/passkeys/{id}/rename", rename_passkey)
        .route(Method::POST, "/me/security/passkeys/{id}/remove", remove_passkey)
        .route(Method::POST, "/me/security/recovery-codes", renew_codes)
        .route(Method::GET, "/me/confirm", confirm)
        .route(Method::POST, "/me/confirm", confirmed)
        .route(Method::POST, "/me/confirm/passkey/begin", begin_confirm)
        .route(Method::POST, "/me/confirm/passkey", confirmed_by_passkey)
        .merge(sign_in_pages::pages())
}

#[derive(Template)]
#[template(path = "domain/mfa/templates/security.html")]
struct Security<'a> {
    shell: Shell,
    standing: &'a Standing,
    /// Whether browsers can make passkeys here at all.
    named: bool,
    /// Where to go on to once a second factor is there; asked by a role that wants one.
    next: &'a str,
}

#[derive(Template)]
#[template(path = "domain/mfa/templates/totp.html")]
struct Totp<'a> {
    shell: Shell,
    begun: &'a TotpBegun,
    typed: String,
    error: Option<String>,
    next: &'a str,
}

#[derive(Template)]
#[template(path = "domain/mfa/templates/codes.html")]
struct CodesPage<'a> {
    shell: Shell,
    codes: String,
    next: &'a str,
}

#[derive(Template)]
#[template(path = "domain/mfa/templates/confirm.html")]
struct Confirm<'a> {
    shell: Shell,
    next: &'a str,
    error: Option<String>,
    totp: bool,
    passkey: bool,
    /// Whether the password does. Not where there is a factor that this session never showed: what comes next may be that
    /// factor's end.
    password: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

impl Wanted {
    fn next(&self) -> &str {
        own_path(&self.next).unwrap_or_default()
    }
}

/// What wants a step-up leads to it first, and from there back to the page of security.
fn or_confirm(done: ApiResult<Response>, next: &str) -> PageResult {
    match done {
        Err(refused) if step_up::is_asked(&refused) => {
            let back = if next.is_empty() { HOME.to_owned() } else { format!("{HOME}?next={}", encoded(next)) };
            Ok(see_other(&format!("/me/confirm?next={}", encoded(&back))))
        }
        Ok(response) => Ok(response),
        Err(refused) => Err(refused.into()),
    }
}

fn flash(caller: &PageCaller, text: &str) -> ApiResult<Response> {
    caller.see_other(HOME, Flash::done(text)).map_err(|refused| refused.0)
}

async fn home(State(app): State<App>, caller: PageCaller, Query(wanted): Query<Wanted>) -> PageResult {
    let standing = service::standing(&app, &caller.caller).await?;
    let shell = Shell::new(&caller, Nav::Security, "Security");
    caller.page(&Security { shell, standing: &standing, named: party::is_known(&app), next: wanted.next() })
}

async fn begin_totp(State(app): State<App>, caller: PageCaller, Form(wanted): Form<Wanted>) -> PageResult {
    let next = wanted.next();
    let begun = service::begin_totp(&app, &caller.caller).await;
    or_confirm(begun.map(|_| see_other(&format!("/me/security/totp?next={}", encoded(next)))), next)
}

async fn totp(State(app): State<App>, caller: PageCaller, Query(wanted): Query<Wanted>) -> PageResult {
    match service::waiting_totp(&app, &caller.caller).await {
        Ok(begun) => show_totp(&caller, StatusCode::OK, &begun, None, String::new(), wanted.next()),
        Err(refused) if refused.code == Code::NotFound => Ok(see_other(HOME)),
        Err(refused) => or_confirm(Err(refused), wanted.next()),
    }
}

fn show_totp(
    caller: &PageCaller,
    status: StatusCode,
    begun: &TotpBegun,
    error: Option<String>,
    typed: String,
    next: &str,
) -> PageResult {
    let shell = Shell::new(caller, Nav::Security, "Authenticator app");
    caller.page_with(status, &Totp { shell, begun, typed, error, next })
}

#[derive(Deserialize)]
struct Code6 {
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

async fn confirm_totp(
    State(app): State<App>,
    caller: PageCaller,
    context: Context,
    Form(form): Form<Code6>,
) -> PageResult {
    let next = own_path(&form.next).unwrap_or_default();
    match service::confirm_totp(&app, &caller.caller, &context, &form.code).await {
        Ok(codes) => show_codes(&caller, codes.recovery_codes, "The authenticator app is set up.", next),
        Err(refused) if matches!(refused.code, Code::Validation | Code::RateLimit) => {
            let begun = service::waiting_totp(&app, &caller.caller).await?;
            let said =
                words(&refused, "This is not the code that the app shows now. Wait for the next one and type that.");
            show_totp(&caller, refused.status, &begun, Some(said), form.code, next)
        }
        Err(refused) if refused.code == Code::Conflict => Ok(see_other(HOME)),
        Err(refused) => or_confirm(Err(refused), next),
    }
}

/// What is said about a refusal; a wait is told in minutes.
pub(super) fn words(refused: &ApiError, wrong: &str) -> String {
    if refused.code == Code::RateLimit {
        let minutes = refused.retry_after.unwrap_or(60).div_ceil(60);
        return format!("Too many tries. Wait {minutes} min, then try again.");
    }
    wrong.to_owned()
}

/// Recovery codes, shown this once; without new ones on to where the person wanted to go.
fn show_codes(caller: &PageCaller, codes: Option<Vec<String>>, done: &str, next: &str) -> PageResult {
    match codes {
        Some(codes) => {
            let shell = Shell::new(caller, Nav::Security, "Recovery codes");
            let next = if next.is_empty() { HOME } else { next };
            caller.page(&CodesPage { shell, codes: codes.join("\n"), next })
        }
        None => caller.see_other(if next.is_empty() { HOME } else { next }, Flash::done(done)),
    }
}

async fn remove_totp(
    State(app): State<App>,
    caller: PageCaller,
    context: Context,
    Form(_): Form<Wanted>,
) -> PageResult {
    let done = service::remove_totp(&app, &caller.caller, &context).await;
    or_confirm(done.and_then(|()| flash(&caller, "The authenticator app is removed.")), "")
}

/// A challenge as the page's script takes it. A step-up that is missing is said by where to go.
pub(super) fn challenge(begun: ApiResult<super::types::Challenge>) -> PageResult {
    match begun {
        Ok(begun) => Ok(axum::Json(begun).into_response()),
        Err(refused) if step_up::is_asked(&refused) => {
            let go = serde_json::json!({ "go": format!("/me/confirm?next={}", encoded(HOME)) });
            Ok(axum::Json(go).into_response())
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn begin_passkey(State(app): State<App>, caller: PageCaller, Form(_): Form<Wanted>) -> PageResult {
    challenge(service::begin_passkey(&app, &caller.caller).await)
}

/// What a page's script puts into its form.
#[derive(Deserialize)]
pub(super) struct Answered {
    ceremony: String,
    credential: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    pub(super) next: String,
}

impl Answered {
    /// The answer; one that is no JSON is one that nobody believes.
    pub(super) fn answer(&self) -> PasskeyAnswer {
        let credential = serde_json::from_str(&self.credential).unwrap_or(Value::Null);
        PasskeyAnswer { ceremony: self.ceremony.clone(), credential }
    }
}

async fn add_passkey(
    State(app): State<App>,
    caller: PageCaller,
    context: Context,
    Form(form): Form<Answered>,
) -> PageResult {
    let PasskeyAnswer { ceremony, credential } = form.answer();
    let next = own_path(&form.next).unwrap_or_default();
    let new = NewPasskey { name: form.name.clone(), ceremony, credential };
    match service::add_passkey(&app, &caller.caller, &context, new).await {
        Ok(codes) => show_codes(&caller, codes.recovery_codes, "The passkey is added.", next),
        Err(refused) if matches!(refused.code, Code::Validation | Code::Conflict) => {
            caller.see_other(HOME, Flash::failed(refused.message))
        }
        Err(refused) => or_confirm(Err(refused), next),
    }
}

#[derive(Deserialize)]
struct Name {
    #[serde(default)]
    name: String,
}

async fn rename_passkey(
    State(app): State<App>,
    caller: PageCaller,
    Path(id): Path<Uuid>,
    Form(form): Form<Name>,
) -> PageResult {
    match service::rename_passkey(&app, &caller.caller, id, &form.name).await {
        Ok(()) => caller.see_other(HOME, Flash::done("The passkey has its new name.")),
        Err(refused) if refused.code == Code::Validation => {
            let said = format!("Give the passkey a name of 1 to {} characters.", rules::NAME_CHARS);
            caller.see_other(HOME, Flash::failed(said))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn remove_passkey(
    State(app): State<App>,
    caller: PageCaller,
    context: Context,
    Path(id): Path<Uuid>,
    Form(_): Form<Wanted>,
) -> PageResult {
    let done = service::remove_passkey(&app, &caller.caller, &context, id).await;
    or_confirm(done.and_then(|()| flash(&caller, "The passkey is removed.")), "")
}

async fn renew_codes(
    State(app): State<App>,
    caller: PageCaller,
    context: Context,
    Form(_): Form<Wanted>,
) -> PageResult {
    match service::renew_codes(&app, &caller.caller, &context).await {
        Ok(codes) => show_codes(&caller, codes.recovery_codes, "", ""),
        Err(refused) if refused.code == Code::Conflict => caller.see_other(HOME, Flash::failed(refused.message)),
        Err(refused) => or_confirm(Err(refused), ""),
    }
}

async fn confirm(State(app): State<App>, caller: PageCaller, Query(wanted): Query<Wanted>) -> PageResult {
    show_confirm(&app, &caller, StatusCode::OK, wanted.next(), None).await
}

async fn show_confirm(
    app: &App,
    caller: &PageCaller,
    status: StatusCode,
    next: &str,
    error: Option<String>,
) -> PageResult {
    let standing = service::standing(app, &caller.caller).await?;
    let shell = Shell::new(caller, Nav::Security, "Confirm that it is you");
    let passkey = !standing.passkeys.is_empty() && party::is_known(app);
    let password = standing.session_has_mfa || !(standing.totp || passkey);
    caller.page_with(status, &Confirm { shell, next, error, totp: standing.totp, passkey, password })
}

#[derive(Deserialize)]
struct Again {
    #[serde(default)]
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

async fn confirmed(State(app): State<App>, caller: PageCaller, Form(form): Form<Again>) -> PageResult {
    let proof =
        if form.code.is_empty() { Proof::Password(&form.password) } else { Proof::Factor(Shown::Totp(&form.code)) };
    let wrong =
        if form.code.is_empty() { "This is not your password." } else { "The code is wrong or was used before." };
    proved(&app, &caller, proof, &form.next, wrong).await
}

async fn proved(app: &App, caller: &PageCaller, proof: Proof<'_>, next: &str, wrong: &str) -> PageResult {
    let next = own_path(next).unwrap_or_default();
    match step_up::prove(app, &caller.caller, proof).await {
        Ok(_) => Ok(see_other(if next.is_empty() { "/" } else { next })),
        Err(refused) if matches!(refused.code, Code::Validation | Code::RateLimit) => {
            show_confirm(app, caller, refused.status, next, Some(words(&refused, wrong))).await
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn begin_confirm(State(app): State<App>, caller: PageCaller, Form(_): Form<Wanted>) -> PageResult {
    challenge(step_up::challenge(&app, &caller.caller).await)
}

async fn confirmed_by_passkey(State(app): State<App>, caller: PageCaller, Form(form): Form<Answered>) -> PageResult {
    let answer = form.answer();
    let proof = Proof::Factor(Shown::Passkey(&answer));
    proved(&app, &caller, proof, &form.next, "The passkey did not answer in time, or is not yours. Try again.").await
}
