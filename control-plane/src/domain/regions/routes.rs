//! Regions over JSON.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::service;
use super::types::{Region, RegionBody};
use crate::app::App;
use crate::auth::guard::Can;
use crate::auth::policy::right;
use crate::http::error::ErrorBody;
use crate::http::idempotency::Write;
use crate::http::{ApiResult, Data, IfMatch, Json, Once, Path, Tagged};

/// The routes of regions.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(one, update, remove))
}

/// The company's regions, with their shops.
#[utoipa::path(get, path = "/v1/regions", tag = "regions", operation_id = "list_regions", responses(
    (status = 200, body = Data<Vec<Region>>)))]
async fn list(State(app): State<App>, can: Can<right::CompanyRead>) -> ApiResult<Data<Vec<Region>>> {
    let mut tx = can.begin(&app).await?;
    Ok(Data::new(service::list(&mut tx).await?))
}

/// Make a region.
#[utoipa::path(post, path = "/v1/regions", tag = "regions", operation_id = "create_region", request_body = RegionBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    responses((status = 201, body = Data<Region>), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn create(
    State(app): State<App>,
    can: Can<right::CompanyWrite>,
    write: Write<RegionBody>,
) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &can, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let region = service::create(once.tx(), &can, can.policy(), &write.body, app.clock.now()).await?;
    once.save_tagged(StatusCode::CREATED, region.version, region).await
}

/// One region.
#[utoipa::path(get, path = "/v1/regions/{id}", tag = "regions", operation_id = "get_region", params(("id" = Uuid, Path)),
    responses((status = 200, body = Data<Region>), (status = 404, body = ErrorBody)))]
async fn one(State(app): State<App>, can: Can<right::CompanyRead>, Path(id): Path<Uuid>) -> ApiResult<Tagged<Region>> {
    let mut tx = can.begin(&app).await?;
    let region = service::one(&mut tx, id).await?;
    let version = region.version;
    Ok(Data::new(region).tagged(version))
}

/// Make a region what it should be: its name and all its shops.
#[utoipa::path(put, path = "/v1/regions/{id}", tag = "regions", operation_id = "update_region", params(("id" = Uuid, Path),
    ("If-Match" = String, Header, description = "the ETag that you read, or *")), request_body = RegionBody,
    responses((status = 200, body = Data<Region>), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
async fn update(
    State(app): State<App>,
    can: Can<right::CompanyWrite>,
    Path(id): Path<Uuid>,
    seen: IfMatch,
    Json(body): Json<RegionBody>,
) -> ApiResult<Tagged<Region>> {
    let mut tx = can.begin(&app).await?;
    let region = service::update(&mut tx, &can, can.policy(), id, &seen, &body, app.clock.now()).await?;
    tx.save().await?;
    let version = region.version;
    Ok(Data::new(region).tagged(version))
}

/// Remove a region for which nobody holds a role; its shops stay.
#[utoipa::path(delete, path = "/v1/regions/{id}", tag = "regions", operation_id = "delete_region", params(("id" = Uuid, Path),
    ("If-Match" = String, Header, description = "the ETag that you read, or *")),
    responses((status = 204, description = "removed"), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn remove(
    State(app): State<App>,
    can: Can<right::CompanyWrite>,
    Path(id): Path<Uuid>,
    seen: IfMatch,
) -> ApiResult<StatusCode> {
    let mut tx = can.begin(&app).await?;
    service::remove(&mut tx, &can, id, &seen, app.clock.now()).await?;
    tx.save().await?;
    Ok(StatusCode::NO_CONTENT)
}
