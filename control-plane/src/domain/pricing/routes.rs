//! Prices over HTTP. No SQL, no decisions.
#![allow(unused_qualifications, reason = "the macro of a documented route writes its query's type in full")]

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service;
use super::types::{PriceBody, PriceChange, PriceView};
use crate::app::App;
use crate::auth::guard::Can;
use crate::auth::policy::right;
use crate::domain::catalog::service as catalog;
use crate::http::error::ErrorBody;
use crate::http::{ApiError, ApiResult, Data, IfMatch, Json, Paging, Path, Tagged};

/// The routes of pricing.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(put, history))
}

/// Sets the price of a product; the shops are told at once. An open ticket keeps the price it was rung at.
#[utoipa::path(put, path = "/v1/pricing/prices/{code}", tag = "pricing", operation_id = "put_price",
    params(("code" = String, Path, min_length = 1, max_length = 64), ("If-Match" = String, Header, description = "the product's ETag that you read, or *")), request_body = PriceBody,
    responses((status = 200, body = Data<PriceView>), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn put(
    State(app): State<App>,
    caller: Can<right::PricesWrite>,
    Path(code): Path<String>,
    seen: IfMatch,
    Json(body): Json<PriceBody>,
) -> ApiResult<Tagged<PriceView>> {
    if !catalog::could_be_code(&code) {
        return Err(ApiError::not_found("product"));
    }
    let set = service::set_price(&app, &caller, &code, &seen, body.unit_price).await?;
    let (price, version) = set.ok_or_else(|| ApiError::not_found("product"))?;
    Ok(Data::new(price).tagged(version))
}

/// The name of the list in its cursors.
const HISTORY: &str = "price_changes";

/// The changes of a price, newest first: what it was, what it became, who and when.
#[utoipa::path(get, path = "/v1/pricing/prices/{code}", tag = "pricing", operation_id = "list_price_changes",
    params(("code" = String, Path, min_length = 1, max_length = 64), Paging),
    responses((status = 200, body = Data<Vec<PriceChange>>), (status = 404, body = ErrorBody)))]
async fn history(
    State(app): State<App>,
    caller: Can<right::CatalogRead>,
    Path(code): Path<String>,
    paging: Paging,
) -> ApiResult<Tagged<Vec<PriceChange>>> {
    if !catalog::could_be_code(&code) {
        return Err(ApiError::not_found("product"));
    }
    let before: u64 = paging.after(HISTORY)?.unwrap_or(0);
    let mut tx = caller.begin(&app).await?;
    let product = catalog::one(&mut tx, &code).await?.ok_or_else(|| ApiError::not_found("product"))?;
    let changes = service::history(&mut tx, &code, before, paging.limit() + 1).await?;
    Ok(paging.page(HISTORY, changes, |change| change.version)?.tagged(product.version))
}
