//! The pages of invitations: inviting, sending again, revoking, and the door that the link opens.

use askama::Template;
use axum::extract::{FromRequestParts as _, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use serde::Deserialize;
use uuid::Uuid;

use super::pages::capital;
use super::service::{self, Door};
use super::types::{Accept, AcceptSignedIn, NewInvitation};
use crate::app::App;
use crate::auth::guard::Via;
use crate::auth::policy::right;
use crate::db::TenantTx;
use crate::domain::roles::types::{RoleView, Wanted};
use crate::domain::{roles, shops};
use crate::http::context::Context;
use crate::http::error::Code;
use crate::http::{ApiError, ApiResult, Path};
use crate::web::caller::{PageCan, with_flash};
use crate::web::cookie::Way;
use crate::web::{Flash, Form, Nav, OpenForm, PageCaller, PageError, PageResult, Pages, Shell, form, respond};

/// The pages of invitations.
pub(super) fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, "/people/invite", ask)
        .route(Method::POST, "/people/invite", invite)
        .route(Method::POST, "/people/invitations/{id}/resend", resend)
        .route(Method::POST, "/people/invitations/{id}/revoke", revoke)
        .open(Method::GET, "/invitations/{token}", look)
        .open(Method::POST, "/invitations/{token}", accept)
}

/// A place where a role can be good, for the form.
struct Place {
    value: String,
    label: String,
}

#[derive(Template)]
#[template(path = "domain/people/templates/invite.html")]
struct InvitePage {
    shell: Shell,
    roles: Vec<RoleView>,
    places: Vec<Place>,
    form: InviteForm,
    error: Option<String>,
}

/// An invitation as typed: one role; more are given on the person's page.
#[derive(Clone, Debug, Default, Deserialize)]
struct InviteForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    role: String,
    /// Empty: the whole company; else the id of a shop.
    #[serde(default)]
    place: String,
}

async fn places(tx: &mut TenantTx) -> ApiResult<Vec<Place>> {
    let shops = shops::service::list(tx).await?;
    Ok(shops.into_iter().map(|shop| Place { value: shop.id.to_string(), label: shop.name }).collect())
}

async fn show(
    app: &App,
    caller: &PageCan<right::PeopleWrite>,
    form: InviteForm,
    wrong: Option<ApiError>,
) -> PageResult {
    let status = wrong.as_ref().map_or(StatusCode::OK, |error| error.status);
    let error = wrong.map(|error| match error.message.split_once(": ") {
        Some((_, said)) if error.details.is_some() && error.status == StatusCode::UNPROCESSABLE_ENTITY => capital(said),
        Some(_) | None => capital(&error.message),
    });
    let mut tx = caller.begin(app).await?;
    let (roles, places) = (roles::service::list(&mut tx).await?, places(&mut tx).await?);
    let shell = Shell::new(caller, Nav::People, "Invite somebody");
    caller.page_with(status, &InvitePage { shell, roles, places, form, error })
}

async fn ask(State(app): State<App>, caller: PageCan<right::PeopleWrite>) -> PageResult {
    show(&app, &caller, InviteForm::default(), None).await
}

async fn invite(
    State(app): State<App>,
    caller: PageCan<right::PeopleWrite>,
    Form(form): Form<InviteForm>,
) -> PageResult {
    let shop_id = match form.place.as_str() {
        "" => None,
        id => Some(id.parse::<Uuid>().map_err(|_| ApiError::not_found("shop"))?),
    };
    let wanted = Wanted { role: form.role.clone(), region_id: None, shop_id };
    let new = NewInvitation { email: form.email.clone(), roles: vec![wanted] };
    let mut tx = caller.begin(&app).await?;
    match service::invite(&app, &mut tx, &caller.caller, caller.right().policy(), &new).await {
        Ok(made) => {
            tx.save().await?;
            let said = format!("An invitation is on its way to {}. Its link is good for a week.", made.email);
            caller.see_other("/people", Flash::done(said))
        }
        Err(error) if error.code == Code::Internal || error.code == Code::NotFound => Err(error.into()),
        Err(error) => {
            drop(tx);
            show(&app, &caller, form, Some(error)).await
        }
    }
}

#[derive(Deserialize)]
struct Nothing {}

async fn resend(
    State(app): State<App>,
    caller: PageCan<right::PeopleWrite>,
    Path(id): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    match service::resend(&app, &mut tx, &caller.caller, caller.right().policy(), id).await {
        Ok(sent) => {
            tx.save().await?;
            caller.see_other("/people", Flash::done(format!("The invitation to {} was sent again.", sent.email)))
        }
        Err(error) if error.code == Code::Internal || error.code == Code::NotFound => Err(PageError::from(error)),
        Err(error) => caller.see_other("/people", Flash::failed(capital(&error.message))),
    }
}

async fn revoke(
    State(app): State<App>,
    caller: PageCan<right::PeopleWrite>,
    Path(id): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    service::revoke(&app, &mut tx, &caller.caller, id).await?;
    tx.save().await?;
    caller.see_other("/people", Flash::done("The invitation is revoked; its link is good no more."))
}

#[derive(Template)]
#[template(path = "domain/people/templates/invitation.html")]
struct InvitationPage<'a> {
    token: &'a str,
    /// What the link opens; none when it is not good.
    door: Option<Door>,
    /// The reader's proof for forms, when they are signed in as whom the invitation is for.
    csrf: Option<String>,
    /// The e-mail of a reader who is signed in as somebody else.
    other: Option<String>,
    name: &'a str,
    error: Option<String>,
}

/// Whoever looks, if they are signed in as a member of some company.
async fn reader(parts: &mut Parts, app: &App) -> Option<PageCaller> {
    let caller = PageCaller::from_request_parts(parts, app).await.ok()?;
    (caller.caller.via == Via::Session).then_some(caller)
}

async fn look(State(app): State<App>, context: Context, Path(token): Path<String>, mut parts: Parts) -> PageResult {
    app.gates.sign_in(context.address())?;
    let door = service::look(&app, &token).await?;
    let status = if door.is_some() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let reader = reader(&mut parts, &app).await;
    let known = door.as_ref().and_then(|door| door.known);
    let (mut csrf, mut other) = (None, None);
    if let Some(reader) = reader {
        if known == Some(reader.caller.person) {
            csrf = Some(Shell::new(&reader, Nav::Me, "").csrf().to_owned());
        } else {
            other = Some(reader.email.to_string());
        }
    }
    Ok(respond::html(status, &InvitationPage { token: &token, door, csrf, other, name: "", error: None })?)
}

#[derive(Deserialize)]
struct AcceptForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    /// There when the reader accepts in their session.
    #[serde(default)]
    csrf: String,
}

async fn accept(
    State(app): State<App>,
    context: Context,
    mut parts: Parts,
    Path(token): Path<String>,
    OpenForm(asked): OpenForm<AcceptForm>,
) -> PageResult {
    app.gates.sign_in(context.address())?;
    let way = Way::of(&parts, &app);
    if !asked.csrf.is_empty() {
        let Some(reader) = reader(&mut parts, &app).await else { return Ok(respond::see_other("/sign-in")) };
        form::check(&reader, &parts.headers, &asked.csrf)?;
        let joined = service::accept_signed_in(&app, &reader.caller, &AcceptSignedIn { token }).await?;
        let said = format!("You belong to {} now. Sign out and in again to go there.", joined.tenant);
        return reader.see_other("/me", Flash::done(said));
    }
    let name = Some(asked.name.clone()).filter(|name| !name.trim().is_empty());
    let request = Accept { token: token.clone(), password: asked.password, name };
    match service::accept(&app, &request, &context).await {
        Ok(joined) => {
            let said = format!("You belong to {} now. Sign in with {}.", joined.tenant, joined.email);
            Ok(with_flash(way, "/sign-in", &Flash::done(said)))
        }
        Err(error) if matches!(error.code, Code::Internal) => Err(error.into()),
        Err(error) => {
            let door = service::look(&app, &token).await?;
            let said = match error.code {
                Code::Authn => "That is not the password of this e-mail.".to_owned(),
                Code::Validation | Code::Authz | Code::NotFound | Code::Conflict | Code::RateLimit | Code::Internal => {
                    let said = error.message.split_once(": ").filter(|_| error.details.is_some());
                    capital(said.map_or(error.message.as_str(), |(_, said)| said))
                }
            };
            let page =
                InvitationPage { token: &token, door, csrf: None, other: None, name: &asked.name, error: Some(said) };
            Ok(respond::html(error.status, &page)?)
        }
    }
}
