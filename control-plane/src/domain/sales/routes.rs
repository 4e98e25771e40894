//! Sales over HTTP: the list of tickets and one ticket whole. No SQL, no decisions.
#![allow(unused_qualifications, reason = "the macro of a documented route writes its query's type in full")]

use axum::extract::State;
use protocol::id::ShopId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::query::{read_date, read_id, wrong};
use super::tickets::rules::{Filter, Place, kind_number};
use super::tickets::service;
use super::types::{TicketDetail, TicketRow};
use crate::app::App;
use crate::auth::guard::Can;
use crate::auth::policy::right;
use crate::domain::shops;
use crate::http::error::ErrorBody;
use crate::http::{ApiError, ApiResult, Data, Paging, Path, Query};

/// The routes of sales.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one))
}

/// What to list. A field left out, or blank, does not narrow.
#[derive(Debug, Default, Deserialize, IntoParams)]
struct ListQuery {
    /// Of one shop.
    #[serde(default)]
    #[param(pattern = "^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$")]
    shop_id: String,
    /// Of one trading day, such as 2010-12-01; stands for from and to.
    #[serde(default)]
    #[param(pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
    date: String,
    /// From this trading day on.
    #[serde(default)]
    #[param(pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
    from: String,
    /// Up to this trading day.
    #[serde(default)]
    #[param(pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
    to: String,
    /// sale or return.
    #[serde(default)]
    #[param(pattern = "^(sale|return)?$")]
    kind: String,
    /// Of one lane.
    #[serde(default)]
    #[param(pattern = "^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$")]
    lane_id: String,
}

/// The name of the list in its cursors.
const LIST: &str = "tickets";

fn filter(query: &ListQuery, paging: &Paging) -> ApiResult<Filter> {
    let day = read_date("date", &query.date)?;
    let kind = match query.kind.as_str() {
        "" => None,
        name => Some(kind_number(name).ok_or_else(|| wrong("kind", format!("{name:?} is neither sale nor return")))?),
    };
    let after = match paging.after::<String>(LIST)? {
        None => None,
        Some(text) => Some(Place::parse(&text).ok_or_else(|| wrong("cursor", "give next_cursor of the page before"))?),
    };
    Ok(Filter {
        shop: read_id("shop_id", &query.shop_id)?,
        from: day.map_or_else(|| read_date("from", &query.from), |day| Ok(Some(day)))?,
        to: day.map_or_else(|| read_date("to", &query.to), |day| Ok(Some(day)))?,
        kind,
        lane: read_id("lane_id", &query.lane_id)?,
        after,
        limit: paging.limit(),
    })
}

/// Tickets, newest first, page by page.
#[utoipa::path(get, path = "/v1/sales/tickets", tag = "sales", operation_id = "list_tickets", params(ListQuery, Paging),
    responses((status = 200, body = Data<Vec<TicketRow>>), (status = 404, body = ErrorBody)))]
async fn list(
    State(app): State<App>,
    caller: Can<right::SalesRead>,
    Query(query): Query<ListQuery>,
    paging: Paging,
) -> ApiResult<Data<Vec<TicketRow>>> {
    let filter = filter(&query, &paging)?;
    let mut tx = caller.begin(&app).await?;
    if let Some(shop) = filter.shop {
        let found = shops::service::settings(&mut tx, ShopId::from_uuid(shop)).await?;
        found.ok_or_else(|| ApiError::not_found("shop"))?;
    }
    let page = service::list(&mut tx, &filter).await?;
    paging.cut(LIST, page.tickets, page.next)
}

/// One ticket whole, as its event says it, named by node, term and position.
#[utoipa::path(get, path = "/v1/sales/tickets/{node_id}/{term}/{seq}", tag = "sales", operation_id = "get_ticket",
    params(("node_id" = Uuid, Path), ("term" = u32, Path), ("seq" = i64, Path)),
    responses((status = 200, body = Data<TicketDetail>), (status = 404, body = ErrorBody)))]
async fn one(
    State(app): State<App>,
    caller: Can<right::SalesRead>,
    Path((node, term, seq)): Path<(Uuid, u32, i64)>,
) -> ApiResult<Data<TicketDetail>> {
    let mut tx = caller.begin(&app).await?;
    let found = service::one(&mut tx, node, i64::from(term), seq).await?;
    found.map(Data::new).ok_or_else(|| ApiError::not_found("ticket"))
}
