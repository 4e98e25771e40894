//! Keys over JSON.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::service;
use super::types::{Key, KeyMade, NewKey};
use crate::app::App;
use crate::auth::guard::{Can, Via};
use crate::auth::policy::right;
use crate::http::error::ErrorBody;
use crate::http::idempotency::Write;
use crate::http::{ApiError, ApiResult, Data, Once, Paging, Path};

/// The routes of keys.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// The name of the list in its cursors.
const LIST: &str = "keys";

/// The keys of programs, the newest first. Never their secrets.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", operation_id = "list_keys", params(Paging), responses(
    (status = 200, body = Data<Vec<Key>>), (status = 401, body = ErrorBody)))]
async fn list(State(app): State<App>, caller: Can<right::KeysRead>, paging: Paging) -> ApiResult<Data<Vec<Key>>> {
    let after = paging.after(LIST)?;
    let mut tx = caller.begin(&app).await?;
    let keys = service::list(&mut tx, after, paging.fetch(), app.clock.now()).await?;
    paging.page(LIST, keys, |key| key.id)
}

/// Make a key. Its secret is in this answer alone: what is kept for repetitions of the request is without it.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", operation_id = "create_key", request_body = NewKey,
    params(("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, less the secret")),
    responses((status = 201, body = Data<KeyMade>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn create(State(app): State<App>, caller: Can<right::KeysWrite>, write: Write<NewKey>) -> ApiResult<Response> {
    if caller.via != Via::Session {
        return Err(ApiError::authz("only a member makes keys"));
    }
    let mut once = Once::begin(&app, &caller, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let made = service::create(once.tx(), &caller, caller.policy(), &write.body, app.clock.now()).await?;
    once.save(StatusCode::CREATED, &KeyMade { secret: None, ..made.clone() }).await?;
    Ok((StatusCode::CREATED, Data::new(made)).into_response())
}

/// Revoke a key, at once.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", operation_id = "revoke_key", params(("id" = Uuid, Path)),
    responses((status = 204, description = "revoked"), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
async fn revoke(State(app): State<App>, caller: Can<right::KeysWrite>, Path(id): Path<Uuid>) -> ApiResult<StatusCode> {
    let mut tx = caller.begin(&app).await?;
    service::revoke(&mut tx, &caller, id, app.clock.now()).await?;
    tx.save().await?;
    Ok(StatusCode::NO_CONTENT)
}
