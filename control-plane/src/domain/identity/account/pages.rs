//! One's own account as pages: name, e-mail, password, sessions.

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::types::{Account, AccountPatch, EmailChange, PasswordChange, Session};
use super::{email, password, profile, sessions};
use crate::app::App;
use crate::auth::guard::Via;
use crate::clock::utc;
use crate::http::context::Context;
use crate::http::{ApiError, Path};
use crate::web::{Flash, Form, Nav, PageCaller, PageError, PageResult, Pages, Shell, format};

/// The pages of one's own account.
pub fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, "/me", me)
        .route(Method::POST, "/me/name", rename)
        .route(Method::POST, "/me/password", change_password)
        .route(Method::POST, "/me/email", change_email)
        .route(Method::POST, "/me/sessions/{id}/end", end)
        .route(Method::POST, "/me/sessions/end-others", end_others)
}

#[derive(Template)]
#[template(path = "domain/identity/templates/me.html")]
struct MePage {
    shell: Shell,
    account: Account,
    sessions: Vec<Session>,
    wrong: Wrong,
    now: OffsetDateTime,
}

/// What was wrong with a form, and which.
#[derive(Debug, Default)]
struct Wrong {
    name: Option<String>,
    password: Option<String>,
    email: Option<String>,
    new_email: String,
}

/// Whoever looks in as a guest has nothing of their own here.
pub(crate) fn own(caller: &PageCaller) -> Result<(), PageError> {
    match caller.caller.via {
        Via::Session => Ok(()),
        Via::Guest { .. } | Via::Key => Err(ApiError::authz("A guest has no account here.").into()),
    }
}

async fn show(app: &App, caller: &PageCaller, wrong: Wrong, status: StatusCode) -> PageResult {
    let account = profile::account(app, &caller.caller).await?;
    let mut tx = caller.caller.begin(app).await?;
    let sessions = sessions::list(app, &mut tx, caller.caller.person, caller.caller.session).await?;
    let shell = Shell::new(caller, Nav::Me, "Your account");
    caller.page_with(status, &MePage { shell, account, sessions, wrong, now: utc(app.clock.now()) })
}

async fn me(State(app): State<App>, caller: PageCaller) -> PageResult {
    own(&caller)?;
    show(&app, &caller, Wrong::default(), StatusCode::OK).await
}

/// A form again with what is wrong with it; what no form can mend is a page of its own.
async fn again(app: &App, caller: &PageCaller, error: ApiError, put: impl FnOnce(&mut Wrong, String)) -> PageResult {
    if !matches!(error.status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::TOO_MANY_REQUESTS) {
        return Err(error.into());
    }
    let said = match (error.message.split_once(": "), &error.details) {
        (Some((_, said)), Some(_)) => said.to_owned(),
        (None, _) | (_, None) => error.message.clone(),
    };
    let mut wrong = Wrong::default();
    put(&mut wrong, sentence(&said));
    show(app, caller, wrong, error.status).await
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[derive(Deserialize)]
struct NameForm {
    #[serde(default)]
    name: String,
}

async fn rename(State(app): State<App>, caller: PageCaller, Form(form): Form<NameForm>) -> PageResult {
    own(&caller)?;
    match profile::rename(&app, &caller.caller, &AccountPatch { name: Some(form.name) }).await {
        Ok(_) => caller.see_other("/me", Flash::done("Your name is saved.")),
        Err(error) => again(&app, &caller, error, |wrong, said| wrong.name = Some(said)).await,
    }
}

#[derive(Deserialize)]
struct PasswordForm {
    #[serde(default)]
    current: String,
    #[serde(default)]
    new: String,
    /// A tick box: there, or not.
    end_others: Option<String>,
}

async fn change_password(
    State(app): State<App>,
    caller: PageCaller,
    context: Context,
    Form(form): Form<PasswordForm>,
) -> PageResult {
    own(&caller)?;
    let end_others = form.end_others.is_some();
    let change = PasswordChange { current: form.current, new: form.new, end_others };
    match password::change(&app, &caller.caller, &change, &context).await {
        Ok(()) if end_others => {
            caller.see_other("/me", Flash::done("Your password is changed, and you are signed out everywhere else."))
        }
        Ok(()) => caller.see_other("/me", Flash::done("Your password is changed.")),
        Err(error) => again(&app, &caller, error, |wrong, said| wrong.password = Some(said)).await,
    }
}

#[derive(Deserialize)]
struct EmailForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

async fn change_email(
    State(app): State<App>,
    caller: PageCaller,
    context: Context,
    Form(form): Form<EmailForm>,
) -> PageResult {
    own(&caller)?;
    let change = EmailChange { email: form.email, password: form.password };
    match email::ask(&app, &caller.caller, &change, &context).await {
        Ok(()) => {
            let said = format!(
                "Follow the link in the mail to {} within a day. Until then nothing changes.",
                change.email.trim()
            );
            caller.see_other("/me", Flash::done(said))
        }
        Err(error) => {
            again(&app, &caller, error, |wrong, said| {
                wrong.email = Some(said);
                wrong.new_email = change.email;
            })
            .await
        }
    }
}

#[derive(Deserialize)]
struct Nothing {}

async fn end(
    State(app): State<App>,
    caller: PageCaller,
    Path(id): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    own(&caller)?;
    sessions::end_own(&app, &caller.caller, id).await?;
    caller.see_other("/me", Flash::done("That session has ended."))
}

async fn end_others(State(app): State<App>, caller: PageCaller, Form(Nothing {}): Form<Nothing>) -> PageResult {
    own(&caller)?;
    let said = match sessions::end_others(&app, &caller.caller).await?.ended {
        0 => "There was no other session.".to_owned(),
        1 => "One other session has ended.".to_owned(),
        ended => format!("{ended} other sessions have ended."),
    };
    caller.see_other("/me", Flash::done(said))
}
