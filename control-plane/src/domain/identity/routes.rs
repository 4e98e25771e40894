//! Signing in and out over JSON.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service;
use super::types::{LoginReply, LoginRequest, Me, RefreshRequest, Tokens};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::http::context::Context;
use crate::http::error::ErrorBody;
use crate::http::{ApiResult, Data, Json};

/// The routes of identity.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(me))
        .merge(super::account::routes::routes())
}

/// Sign in.
#[utoipa::path(post, path = "/v1/auth/login", tag = "auth", security(()), request_body = LoginRequest, responses(
    (status = 200, body = Data<LoginReply>, description = "Tokens, or the tenants to choose from"),
    (status = 401, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)))]
async fn login(
    State(app): State<App>,
    context: Context,
    Json(request): Json<LoginRequest>,
) -> ApiResult<Data<LoginReply>> {
    app.gates.sign_in(context.address())?;
    service::login(&app, &request, &context).await.map(Data::new)
}

/// Exchange a refresh token for the next pair. Each works once.
#[utoipa::path(post, path = "/v1/auth/refresh", tag = "auth", security(()), request_body = RefreshRequest, responses(
    (status = 200, body = Data<Tokens>), (status = 401, body = ErrorBody)))]
async fn refresh(
    State(app): State<App>,
    context: Context,
    Json(request): Json<RefreshRequest>,
) -> ApiResult<Data<Tokens>> {
    app.gates.sign_in(context.address())?;
    service::refresh(&app, &request.refresh_token).await.map(Data::new)
}

/// Sign out: the session ends at once, with all its tokens.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "auth", responses(
    (status = 204, description = "signed out"), (status = 401, body = ErrorBody)))]
async fn logout(State(app): State<App>, caller: Caller) -> ApiResult<StatusCode> {
    service::logout(&app, &caller).await.map(|()| StatusCode::NO_CONTENT)
}

/// Who am I?
#[utoipa::path(get, path = "/v1/auth/me", tag = "auth", operation_id = "get_me", responses(
    (status = 200, body = Data<Me>), (status = 401, body = ErrorBody)))]
async fn me(State(app): State<App>, caller: Caller) -> ApiResult<Data<Me>> {
    service::me(&app, &caller).await.map(Data::new)
}
