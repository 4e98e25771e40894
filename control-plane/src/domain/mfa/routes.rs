//! Second factors over JSON: one's own, and proving again who one is.

use axum::extract::State;
use axum::http::StatusCode;
use protocol::id::PersonId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::second::Shown;
use super::step_up::{self, Proof};
use super::types::{
    Challenge, Codes, NewPasskey, PasskeyName, Standing, StepUpRequest, SteppedUp, TotpBegun, TotpCode,
};
use super::{reset, service, sign_in_routes};
use crate::app::App;
use crate::auth::guard::{Caller, Can};
use crate::auth::policy::right;
use crate::http::context::Context;
use crate::http::error::ErrorBody;
use crate::http::{ApiError, ApiResult, Data, Json, Path};

/// The routes of second factors.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(standing))
        .routes(routes!(begin_totp, remove_totp))
        .routes(routes!(confirm_totp))
        .routes(routes!(begin_passkey))
        .routes(routes!(add_passkey))
        .routes(routes!(rename_passkey, remove_passkey))
        .routes(routes!(renew_codes))
        .routes(routes!(step_up))
        .routes(routes!(step_up_passkey))
        .routes(routes!(reset_of_member))
        .routes(routes!(reset_of_anybody))
        .merge(sign_in_routes::routes())
}

/// My second factors.
#[utoipa::path(get, path = "/v1/me/mfa", tag = "mfa", operation_id = "get_my_mfa", responses(
    (status = 200, body = Data<Standing>), (status = 401, body = ErrorBody)))]
async fn standing(State(app): State<App>, caller: Caller) -> ApiResult<Data<Standing>> {
    service::standing(&app, &caller).await.map(Data::new)
}

/// Begin to set up an authenticator app. Wants a step-up, as every change here.
#[utoipa::path(post, path = "/v1/me/mfa/totp", tag = "mfa", operation_id = "begin_totp", responses((status = 200, body = Data<TotpBegun>),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn begin_totp(State(app): State<App>, caller: Caller) -> ApiResult<Data<TotpBegun>> {
    service::begin_totp(&app, &caller).await.map(Data::new)
}

/// Confirm the authenticator app with a code that it shows.
#[utoipa::path(post, path = "/v1/me/mfa/totp/confirm", tag = "mfa", operation_id = "confirm_totp", request_body = TotpCode, responses(
    (status = 200, body = Data<Codes>, description = "set up; the recovery codes are shown this once"),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)))]
async fn confirm_totp(
    State(app): State<App>,
    caller: Caller,
    context: Context,
    Json(body): Json<TotpCode>,
) -> ApiResult<Data<Codes>> {
    service::confirm_totp(&app, &caller, &context, &body.code).await.map(Data::new)
}

/// Remove the authenticator app.
#[utoipa::path(delete, path = "/v1/me/mfa/totp", tag = "mfa", operation_id = "remove_totp", responses((status = 204, description = "removed"),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn remove_totp(State(app): State<App>, caller: Caller, context: Context) -> ApiResult<StatusCode> {
    service::remove_totp(&app, &caller, &context).await.map(|()| StatusCode::NO_CONTENT)
}

/// Begin to add a passkey.
#[utoipa::path(post, path = "/v1/me/mfa/passkeys", tag = "mfa", operation_id = "begin_passkey", responses((status = 200, body = Data<Challenge>),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn begin_passkey(State(app): State<App>, caller: Caller) -> ApiResult<Data<Challenge>> {
    service::begin_passkey(&app, &caller).await.map(Data::new)
}

/// Add the passkey that answered.
#[utoipa::path(post, path = "/v1/me/mfa/passkeys/confirm", tag = "mfa", operation_id = "add_passkey", request_body = NewPasskey, responses(
    (status = 200, body = Data<Codes>, description = "added; recovery codes, if any, are shown this once"),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
async fn add_passkey(
    State(app): State<App>,
    caller: Caller,
    context: Context,
    Json(body): Json<NewPasskey>,
) -> ApiResult<Data<Codes>> {
    service::add_passkey(&app, &caller, &context, body).await.map(Data::new)
}

/// Give a passkey another name.
#[utoipa::path(patch, path = "/v1/me/mfa/passkeys/{id}", tag = "mfa", operation_id = "rename_passkey", params(("id" = Uuid, Path)),
    request_body = PasskeyName, responses((status = 204, description = "renamed"), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn rename_passkey(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<PasskeyName>,
) -> ApiResult<StatusCode> {
    service::rename_passkey(&app, &caller, id, &body.name).await.map(|()| StatusCode::NO_CONTENT)
}

/// Remove a passkey.
#[utoipa::path(delete, path = "/v1/me/mfa/passkeys/{id}", tag = "mfa", operation_id = "remove_passkey", params(("id" = Uuid, Path)), responses(
    (status = 204, description = "removed"), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
async fn remove_passkey(
    State(app): State<App>,
    caller: Caller,
    context: Context,
    Path(id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    service::remove_passkey(&app, &caller, &context, id).await.map(|()| StatusCode::NO_CONTENT)
}

/// Ten new recovery codes; those before stop working.
#[utoipa::path(post, path = "/v1/me/mfa/recovery-codes", tag = "mfa", operation_id = "renew_recovery_codes", responses((status = 200, body = Data<Codes>),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn renew_codes(State(app): State<App>, caller: Caller, context: Context) -> ApiResult<Data<Codes>> {
    service::renew_codes(&app, &caller, &context).await.map(Data::new)
}

/// Prove again who I am: with the password, a code or a passkey. Good for ten minutes.
#[utoipa::path(post, path = "/v1/auth/step-up", tag = "auth", operation_id = "step_up", request_body = StepUpRequest, responses(
    (status = 200, body = Data<SteppedUp>), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody),
    (status = 429, body = ErrorBody)))]
async fn step_up(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<StepUpRequest>,
) -> ApiResult<Data<SteppedUp>> {
    let proof = match (&body.password, &body.totp, &body.passkey) {
        (Some(password), None, None) => Proof::Password(password),
        (None, Some(code), None) => Proof::Factor(Shown::Totp(code)),
        (None, None, Some(answer)) => Proof::Factor(Shown::Passkey(answer)),
        _ => return Err(ApiError::validation("give one of password, totp and passkey")),
    };
    step_up::prove(&app, &caller, proof).await.map(Data::new)
}

/// A challenge for one of my passkeys, for the step-up.
#[utoipa::path(post, path = "/v1/auth/step-up/passkey", tag = "auth", operation_id = "begin_step_up_with_passkey", responses(
    (status = 200, body = Data<Challenge>), (status = 401, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn step_up_passkey(State(app): State<App>, caller: Caller) -> ApiResult<Data<Challenge>> {
    step_up::challenge(&app, &caller).await.map(Data::new)
}

/// Take the lost second factors off a member who belongs to no other company. Their sessions end, and they hear of it.
#[utoipa::path(delete, path = "/v1/people/{id}/mfa", tag = "mfa", operation_id = "reset_mfa_of_member",
    params(("id" = Uuid, Path)), responses((status = 204, description = "taken off"), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn reset_of_member(
    State(app): State<App>,
    caller: Can<right::RolesWrite>,
    Path(id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    reset::member(&app, &caller, caller.policy(), PersonId::from_uuid(id)).await.map(|()| StatusCode::NO_CONTENT)
}

/// Take the lost second factors off anybody: for operators of the platform.
#[utoipa::path(delete, path = "/v1/platform/people/{id}/mfa", tag = "mfa", operation_id = "reset_mfa_of_anybody",
    params(("id" = Uuid, Path)), responses((status = 204, description = "taken off"), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn reset_of_anybody(
    State(app): State<App>,
    caller: Can<right::PlatformTenantsWrite>,
    Path(id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    reset::anybody(&app, &caller, caller.policy(), PersonId::from_uuid(id)).await.map(|()| StatusCode::NO_CONTENT)
}
