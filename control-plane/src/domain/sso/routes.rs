//! Providers of single sign-on over JSON.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::service::{self, By};
use super::types::{NewProvider, Provider, ProviderPatch, Tested};
use crate::app::App;
use crate::auth::guard::Can;
use crate::auth::policy::right;
use crate::http::error::ErrorBody;
use crate::http::idempotency::Write;
use crate::http::{ApiResult, Data, IfMatch, Once, Path, Tagged};

/// The routes of single sign-on.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, update, remove)).routes(routes!(test))
}

/// The company's providers, by label. There are never more than ten.
#[utoipa::path(get, path = "/v1/sso/providers", tag = "sso", operation_id = "list_sso_providers", responses(
    (status = 200, body = Data<Vec<Provider>>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn list(State(app): State<App>, can: Can<right::SsoRead>) -> ApiResult<Data<Vec<Provider>>> {
    let mut tx = can.begin(&app).await?;
    service::list(&mut tx).await.map(Data::new)
}

/// Add a provider. Its client secret is kept sealed and never answered.
#[utoipa::path(post, path = "/v1/sso/providers", tag = "sso", operation_id = "create_sso_provider",
    request_body = NewProvider,
    params(("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    responses((status = 201, body = Data<Provider>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn create(State(app): State<App>, can: Can<right::SsoWrite>, write: Write<NewProvider>) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &can, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let made = service::create(&app, once.tx(), By(&can, can.policy()), write.body).await?;
    once.save_tagged(StatusCode::CREATED, made.version, made).await
}

/// One provider.
#[utoipa::path(get, path = "/v1/sso/providers/{id}", tag = "sso", operation_id = "get_sso_provider",
    params(("id" = Uuid, Path)), responses((status = 200, body = Data<Provider>), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn get(State(app): State<App>, can: Can<right::SsoRead>, Path(id): Path<Uuid>) -> ApiResult<Tagged<Provider>> {
    let mut tx = can.begin(&app).await?;
    let provider = service::get(&mut tx, id).await?;
    let version = provider.version;
    Ok(Data::new(provider).tagged(version))
}

/// Change a provider. Its issuer stays: another issuer is another provider.
#[utoipa::path(patch, path = "/v1/sso/providers/{id}", tag = "sso", operation_id = "update_sso_provider",
    params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "the ETag that you read, or *"),
    ("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    request_body = ProviderPatch, responses((status = 200, body = Data<Provider>), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 412, body = ErrorBody),
    (status = 422, body = ErrorBody), (status = 428, body = ErrorBody)))]
async fn update(
    State(app): State<App>,
    can: Can<right::SsoWrite>,
    Path(id): Path<Uuid>,
    seen: IfMatch,
    write: Write<ProviderPatch>,
) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &can, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let provider = service::update(&app, once.tx(), By(&can, can.policy()), id, &seen, write.body).await?;
    once.save_tagged(StatusCode::OK, provider.version, provider).await
}

/// Remove a provider, with the links of its people.
#[utoipa::path(delete, path = "/v1/sso/providers/{id}", tag = "sso", operation_id = "remove_sso_provider",
    params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "the ETag that you read, or *")),
    responses((status = 204, description = "removed"), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 412, body = ErrorBody), (status = 428, body = ErrorBody)))]
async fn remove(
    State(app): State<App>,
    can: Can<right::SsoWrite>,
    Path(id): Path<Uuid>,
    seen: IfMatch,
) -> ApiResult<StatusCode> {
    let mut tx = can.begin(&app).await?;
    service::remove(&app, &mut tx, &can, id, &seen).await?;
    tx.save().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask a provider for its discovery document and keys, and say whether it can be used.
#[utoipa::path(post, path = "/v1/sso/providers/{id}/test", tag = "sso", operation_id = "test_sso_provider",
    params(("id" = Uuid, Path)), responses((status = 200, body = Data<Tested>), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn test(State(app): State<App>, can: Can<right::SsoWrite>, Path(id): Path<Uuid>) -> ApiResult<Data<Tested>> {
    let mut tx = can.begin(&app).await?;
    let provider = service::get(&mut tx, id).await?;
    drop(tx);
    service::test(&app, &provider.issuer).await.map(Data::new)
}
