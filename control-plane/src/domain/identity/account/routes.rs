//! One's own account over JSON, and the doors for whoever forgot the password or follows a link.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::types::{
    Account, AccountPatch, EmailChange, EmailNow, Ended, Forgot, LinkUse, OnItsWay, PasswordChange, Reset, Session,
};
use super::{email, password, profile, sessions};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::http::context::Context;
use crate::http::error::ErrorBody;
use crate::http::{ApiResult, Data, Json, Path};

/// The routes of one's own account.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get, patch))
        .routes(routes!(change_password))
        .routes(routes!(change_email))
        .routes(routes!(list))
        .routes(routes!(end))
        .routes(routes!(end_others))
        .routes(routes!(forgot))
        .routes(routes!(reset))
        .routes(routes!(confirm_email))
        .routes(routes!(stop_email))
}

/// My account.
#[utoipa::path(get, path = "/v1/me", operation_id = "get_my_account", tag = "me", responses(
    (status = 200, body = Data<Account>), (status = 401, body = ErrorBody)))]
async fn get(State(app): State<App>, caller: Caller) -> ApiResult<Data<Account>> {
    profile::account(&app, &caller).await.map(Data::new)
}

/// Change my name.
#[utoipa::path(patch, path = "/v1/me", operation_id = "update_my_account", tag = "me", request_body = AccountPatch, responses(
    (status = 200, body = Data<Account>), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn patch(State(app): State<App>, caller: Caller, Json(patch): Json<AccountPatch>) -> ApiResult<Data<Account>> {
    profile::rename(&app, &caller, &patch).await.map(Data::new)
}

/// Change my password. Wants the present one; all other sessions end unless told otherwise, and a mail tells of it.
#[utoipa::path(post, path = "/v1/me/password", operation_id = "change_my_password", tag = "me", request_body = PasswordChange, responses(
    (status = 204, description = "changed"), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody),
    (status = 429, body = ErrorBody)))]
async fn change_password(
    State(app): State<App>,
    caller: Caller,
    context: Context,
    Json(change): Json<PasswordChange>,
) -> ApiResult<StatusCode> {
    password::change(&app, &caller, &change, &context).await.map(|()| StatusCode::NO_CONTENT)
}

/// Ask for another e-mail. Wants the password; a link to the new address confirms it, one to the old stops it.
#[utoipa::path(post, path = "/v1/me/email", operation_id = "change_my_email", tag = "me", request_body = EmailChange, responses(
    (status = 202, body = Data<OnItsWay>), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody),
    (status = 429, body = ErrorBody)))]
async fn change_email(
    State(app): State<App>,
    caller: Caller,
    context: Context,
    Json(change): Json<EmailChange>,
) -> ApiResult<(StatusCode, Data<OnItsWay>)> {
    email::ask(&app, &caller, &change, &context).await?;
    Ok((StatusCode::ACCEPTED, Data::new(OnItsWay { accepted: true })))
}

/// My sessions in this tenant, the last used first.
#[utoipa::path(get, path = "/v1/me/sessions", operation_id = "list_my_sessions", tag = "me", responses(
    (status = 200, body = Data<Vec<Session>>), (status = 401, body = ErrorBody)))]
async fn list(State(app): State<App>, caller: Caller) -> ApiResult<Data<Vec<Session>>> {
    let mut tx = caller.begin(&app).await?;
    Ok(Data::new(sessions::list(&app, &mut tx, caller.person, caller.session).await?))
}

/// End one of my sessions, at once and everywhere.
#[utoipa::path(delete, path = "/v1/me/sessions/{id}", operation_id = "end_my_session", tag = "me", params(("id" = Uuid, Path)), responses(
    (status = 204, description = "ended"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn end(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> ApiResult<StatusCode> {
    sessions::end_own(&app, &caller, id).await.map(|()| StatusCode::NO_CONTENT)
}

/// End all my sessions in this tenant but the one that asks.
#[utoipa::path(post, path = "/v1/me/sessions/end-others", operation_id = "end_my_other_sessions", tag = "me", responses(
    (status = 200, body = Data<Ended>), (status = 401, body = ErrorBody)))]
async fn end_others(State(app): State<App>, caller: Caller) -> ApiResult<Data<Ended>> {
    sessions::end_others(&app, &caller).await.map(Data::new)
}

/// Send a link to a new password, if the e-mail is somebody's. The answer is the same either way.
#[utoipa::path(post, path = "/v1/auth/forgot", operation_id = "request_password_reset", tag = "auth", security(()), request_body = Forgot, responses(
    (status = 202, body = Data<OnItsWay>), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)))]
async fn forgot(
    State(app): State<App>,
    context: Context,
    Json(request): Json<Forgot>,
) -> ApiResult<(StatusCode, Data<OnItsWay>)> {
    app.gates.sign_in(context.address())?;
    password::forgot(&app, &request.email).await?;
    Ok((StatusCode::ACCEPTED, Data::new(OnItsWay { accepted: true })))
}

/// Set a new password by a link. All sessions end; it signs nobody in.
#[utoipa::path(post, path = "/v1/auth/reset", operation_id = "reset_password", tag = "auth", security(()), request_body = Reset, responses(
    (status = 204, description = "set"), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)))]
async fn reset(State(app): State<App>, context: Context, Json(request): Json<Reset>) -> ApiResult<StatusCode> {
    app.gates.sign_in(context.address())?;
    password::reset(&app, &request, &context).await.map(|()| StatusCode::NO_CONTENT)
}

/// Confirm a new e-mail by the link that was sent to it.
#[utoipa::path(post, path = "/v1/auth/email/confirm", operation_id = "confirm_email", tag = "auth", security(()), request_body = LinkUse, responses(
    (status = 200, body = Data<EmailNow>), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody),
    (status = 429, body = ErrorBody)))]
async fn confirm_email(
    State(app): State<App>,
    context: Context,
    Json(request): Json<LinkUse>,
) -> ApiResult<Data<EmailNow>> {
    app.gates.sign_in(context.address())?;
    email::confirm(&app, &request.token, &context).await.map(Data::new)
}

/// Stop a change of e-mail by the link that was sent to the old address.
#[utoipa::path(post, path = "/v1/auth/email/stop", operation_id = "stop_email_change", tag = "auth", security(()), request_body = LinkUse, responses(
    (status = 204, description = "stopped"), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)))]
async fn stop_email(State(app): State<App>, context: Context, Json(request): Json<LinkUse>) -> ApiResult<StatusCode> {
    app.gates.sign_in(context.address())?;
    email::stop(&app, &request.token, &context).await.map(|()| StatusCode::NO_CONTENT)
}
