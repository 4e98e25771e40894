//! Prices over HTTP. No SQL, no decisions.
#![allow(unused_qualifications, reason = "the macro of a documented route writes its query's type in full")]

use axum::extract::State;
use protocol::limits;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service;
use super::types::{PriceBody, PriceChange, PriceView};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::db::TenantTx;
use crate::domain::catalog::service as catalog;
use crate::http::error::ErrorBody;
use crate::http::{ApiError, ApiResult, Data, Json, Path, Query};

/// The routes of pricing.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(put, history))
}

/// Sets the price of a product; the shops are told at once. An open ticket keeps the price it was rung at.
#[utoipa::path(put, path = "/v1/pricing/prices/{code}", tag = "pricing", operation_id = "put_price",
    params(("code" = String, Path)), request_body = PriceBody,
    responses((status = 200, body = Data<PriceView>), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn put(
    State(app): State<App>,
    caller: Caller,
    Path(code): Path<String>,
    Json(body): Json<PriceBody>,
) -> ApiResult<Data<PriceView>> {
    if !catalog::could_be_code(&code) {
        return Err(ApiError::not_found("product"));
    }
    let set = service::set_price(&app, caller.tenant, caller.person, &code, body.unit_price).await?;
    set.map(Data::new).ok_or_else(|| ApiError::not_found("product"))
}

/// Which part of the history.
#[derive(Debug, Deserialize, IntoParams)]
struct HistoryQuery {
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: u64,
    /// Page size, 1 to 500; 50 if not said.
    limit: Option<u32>,
}

/// The changes of a price, newest first: what it was, what it became, who and when.
#[utoipa::path(get, path = "/v1/pricing/prices/{code}", tag = "pricing", operation_id = "list_price_changes",
    params(("code" = String, Path), HistoryQuery),
    responses((status = 200, body = Data<Vec<PriceChange>>), (status = 404, body = ErrorBody)))]
async fn history(
    State(app): State<App>,
    caller: Caller,
    Path(code): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> ApiResult<Data<Vec<PriceChange>>> {
    if !catalog::could_be_code(&code) {
        return Err(ApiError::not_found("product"));
    }
    let limit = query.limit.unwrap_or(50).clamp(1, limits::PAGE_ROWS);
    let mut tx = TenantTx::begin(&app.db, caller.tenant).await?;
    if catalog::one(&mut tx, &code).await?.is_none() {
        return Err(ApiError::not_found("product"));
    }
    let changes = service::history(&mut tx, &code, query.cursor, limit).await?;
    let full = u32::try_from(changes.len()).is_ok_and(|count| count == limit);
    let next = changes.last().filter(|_| full).map(|change| change.version.to_string());
    Ok(Data::page(changes, next, limit))
}
