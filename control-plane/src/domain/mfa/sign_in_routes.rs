//! The second step of a sign-in, and the sign-in with a passkey alone, over JSON.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::second::{self, Shown};
use super::sign_in;
use super::types::{Challenge, PasskeyLogin, SecondRequest, SecondToken};
use crate::app::App;
use crate::domain::identity::{self, LoginReply, Proof, Tokens};
use crate::http::context::Context;
use crate::http::error::ErrorBody;
use crate::http::{ApiError, ApiResult, Data, Json};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(second))
        .routes(routes!(second_passkey))
        .routes(routes!(passkey))
        .routes(routes!(passkey_finish))
}

/// Finish a sign-in that asked for a second factor.
#[utoipa::path(post, path = "/v1/auth/mfa", tag = "auth", operation_id = "finish_login", security(()), request_body = SecondRequest, responses(
    (status = 200, body = Data<Tokens>), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody),
    (status = 429, body = ErrorBody)))]
async fn second(
    State(app): State<App>,
    context: Context,
    Json(request): Json<SecondRequest>,
) -> ApiResult<Data<Tokens>> {
    app.gates.sign_in(context.address())?;
    let shown = match (&request.totp, &request.recovery, &request.passkey) {
        (Some(code), None, None) => Shown::Totp(code),
        (None, Some(code), None) => Shown::Recovery(code),
        (None, None, Some(answer)) => Shown::Passkey(answer),
        _ => return Err(ApiError::validation("give one of totp, recovery and passkey")),
    };
    let (person, tenant) = second::show(&app, &request.token, shown).await?;
    identity::service::open_api(&app, tenant, person, Proof::PasswordAndFactor, &context).await.map(Data::new)
}

/// A challenge for a passkey of the person who signs in.
#[utoipa::path(post, path = "/v1/auth/mfa/passkey", tag = "auth", operation_id = "begin_finish_login_with_passkey", security(()), request_body = SecondToken, responses(
    (status = 200, body = Data<Challenge>), (status = 401, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 429, body = ErrorBody)))]
async fn second_passkey(
    State(app): State<App>,
    context: Context,
    Json(request): Json<SecondToken>,
) -> ApiResult<Data<Challenge>> {
    app.gates.sign_in(context.address())?;
    second::challenge(&app, &request.token).await.map(Data::new)
}

/// Begin to sign in with a passkey alone.
#[utoipa::path(post, path = "/v1/auth/passkey", tag = "auth", operation_id = "begin_login_with_passkey", security(()), responses(
    (status = 200, body = Data<Challenge>), (status = 409, body = ErrorBody), (status = 429, body = ErrorBody)))]
async fn passkey(State(app): State<App>, context: Context) -> ApiResult<Data<Challenge>> {
    app.gates.sign_in(context.address())?;
    sign_in::challenge(&app).await.map(Data::new)
}

/// Sign in with the passkey that answered.
#[utoipa::path(post, path = "/v1/auth/passkey/finish", tag = "auth", operation_id = "login_with_passkey", security(()), request_body = PasskeyLogin, responses(
    (status = 200, body = Data<LoginReply>, description = "Tokens, or the tenants to choose from"),
    (status = 401, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)))]
async fn passkey_finish(
    State(app): State<App>,
    context: Context,
    Json(request): Json<PasskeyLogin>,
) -> ApiResult<Data<LoginReply>> {
    app.gates.sign_in(context.address())?;
    let person = sign_in::recognise(&app, &request.passkey).await?;
    identity::service::enter_api(&app, person, request.tenant, Proof::Passkey, &context).await.map(Data::new)
}
