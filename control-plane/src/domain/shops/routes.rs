//! Shops over JSON.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use protocol::collection::Collection;
use protocol::id::ShopId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::service;
use super::types::{NewShop, Shop, ShopPatch};
use crate::app::App;
use crate::auth::guard::Can;
use crate::auth::policy::right;
use crate::http::error::ErrorBody;
use crate::http::idempotency::Write;
use crate::http::{ApiResult, Data, IfMatch, Once, Paging, Path, Tagged};

/// The routes of shops.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, update))
}

/// The name of the list in its cursors.
const LIST: &str = "shops";

/// The tenant's shops by name, page by page.
#[utoipa::path(get, path = "/v1/shops", tag = "shops", operation_id = "list_shops", params(Paging), responses(
    (status = 200, body = Data<Vec<Shop>>), (status = 401, body = ErrorBody)))]
async fn list(State(app): State<App>, caller: Can<right::ShopsRead>, paging: Paging) -> ApiResult<Data<Vec<Shop>>> {
    let after = paging.after(LIST)?;
    let mut tx = caller.begin(&app).await?;
    let shops = service::page(&mut tx, after.as_ref(), paging.fetch()).await?;
    paging.page(LIST, shops, |shop| (shop.name.clone(), shop.id))
}

/// Make a shop.
#[utoipa::path(post, path = "/v1/shops", tag = "shops", operation_id = "create_shop", request_body = NewShop,
    params(("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    responses((status = 201, body = Data<Shop>), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn create(State(app): State<App>, caller: Can<right::ShopsCreate>, write: Write<NewShop>) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &caller, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let shop = service::create(once.tx(), &*caller, &write.body, app.clock.now()).await?;
    once.save_tagged(StatusCode::CREATED, shop.version, shop).await
}

/// One shop.
#[utoipa::path(get, path = "/v1/shops/{id}", tag = "shops", operation_id = "get_shop", params(("id" = Uuid, Path)), responses(
    (status = 200, body = Data<Shop>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn get(State(app): State<App>, caller: Can<right::ShopsRead>, Path(id): Path<Uuid>) -> ApiResult<Tagged<Shop>> {
    let mut tx = caller.begin(&app).await?;
    let shop = service::get(&mut tx, ShopId::from_uuid(id)).await?;
    let version = shop.version;
    Ok(Data::new(shop).tagged(version))
}

/// Change a shop's settings; its nodes get them at once.
#[utoipa::path(patch, path = "/v1/shops/{id}", tag = "shops", operation_id = "update_shop", params(("id" = Uuid, Path),
    ("If-Match" = String, Header, description = "the ETag that you read, or *"),
    ("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    request_body = ShopPatch, responses((status = 200, body = Data<Shop>), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn update(
    State(app): State<App>,
    caller: Can<right::ShopsWrite>,
    Path(id): Path<Uuid>,
    seen: IfMatch,
    write: Write<ShopPatch>,
) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &caller, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let shop = service::update(once.tx(), &*caller, ShopId::from_uuid(id), &seen, write.body, app.clock.now()).await?;
    let reply = once.save_tagged(StatusCode::OK, shop.version, shop).await?;
    app.hint(caller.tenant, Collection::Shop);
    Ok(reply)
}
