//! Figures over HTTP. No SQL, no decisions.
#![allow(unused_qualifications, reason = "the macro of a documented route writes its query's type in full")]

use axum::extract::State;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rules::Range;
use super::service::{self, AnalyticsError};
use super::types::{DayFigures, HourFigures, Overview, ProductFigures, Series};
use crate::app::App;
use crate::auth::guard::Can;
use crate::auth::policy::right;
use crate::domain::sales::query::{read_date, read_id};
use crate::http::error::ErrorBody;
use crate::http::page;
use crate::http::{ApiError, ApiResult, Data, Query};

/// The routes of analytics.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(overview))
        .routes(routes!(by_day))
        .routes(routes!(by_hour))
        .routes(routes!(products))
}

impl From<AnalyticsError> for ApiError {
    fn from(error: AnalyticsError) -> Self {
        match error {
            AnalyticsError::Db(error) => error.into(),
            AnalyticsError::Range(error) => Self::validation(error.to_string()),
            AnalyticsError::NoShop => Self::not_found("shop"),
            AnalyticsError::Shops(error) => error,
        }
    }
}

/// Of which shop and days; left out or blank does not narrow.
#[derive(Debug, Deserialize, IntoParams)]
struct RangeQuery {
    /// One shop; all of them otherwise.
    #[serde(default)]
    #[param(pattern = "^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$")]
    shop_id: String,
    /// First trading day, such as 2010-12-01.
    #[serde(default)]
    #[param(pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
    from: String,
    /// Last trading day, included.
    #[serde(default)]
    #[param(pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
    to: String,
}

impl RangeQuery {
    fn range(&self) -> ApiResult<Range> {
        let shop = read_id("shop_id", &self.shop_id)?;
        let (from, to) = (read_date("from", &self.from)?, read_date("to", &self.to)?);
        Ok(Range::new(shop, from, to).map_err(AnalyticsError::from)?)
    }
}

/// What the shops sold in some trading days: gross and returns positive, tax included; net = gross - returns.
#[utoipa::path(get, path = "/v1/analytics/overview", tag = "analytics", operation_id = "get_overview",
    params(RangeQuery), responses((status = 200, body = Data<Overview>), (status = 404, body = ErrorBody)))]
async fn overview(
    State(app): State<App>,
    caller: Can<right::AnalyticsRead>,
    Query(query): Query<RangeQuery>,
) -> ApiResult<Data<Overview>> {
    let range = query.range()?;
    let mut tx = caller.begin(&app).await?;
    Ok(Data::new(service::overview(&mut tx, &range).await?))
}

/// Day by day, newest first; days without figures are left out.
#[utoipa::path(get, path = "/v1/analytics/by-day", tag = "analytics", operation_id = "list_days",
    params(RangeQuery), responses((status = 200, body = Data<Series<DayFigures>>), (status = 404, body = ErrorBody)))]
async fn by_day(
    State(app): State<App>,
    caller: Can<right::AnalyticsRead>,
    Query(query): Query<RangeQuery>,
) -> ApiResult<Data<Series<DayFigures>>> {
    let range = query.range()?;
    let mut tx = caller.begin(&app).await?;
    Ok(Data::new(service::by_day(&mut tx, &range).await?))
}

/// All 24 hours of the clock on the shop's wall, over the days asked for.
#[utoipa::path(get, path = "/v1/analytics/by-hour", tag = "analytics", operation_id = "list_hours",
    params(RangeQuery), responses((status = 200, body = Data<Series<HourFigures>>), (status = 404, body = ErrorBody)))]
async fn by_hour(
    State(app): State<App>,
    caller: Can<right::AnalyticsRead>,
    Query(query): Query<RangeQuery>,
) -> ApiResult<Data<Series<HourFigures>>> {
    let range = query.range()?;
    let mut tx = caller.begin(&app).await?;
    Ok(Data::new(service::by_hour(&mut tx, &range).await?))
}

/// What products are ranked by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RankBy {
    /// What they came to.
    #[default]
    Net,
    /// How many went.
    Quantity,
}

/// Of which shop and days, ranked how, and how many.
#[derive(Debug, Deserialize, IntoParams)]
struct ProductsQuery {
    /// One shop; all of them otherwise.
    #[serde(default)]
    #[param(pattern = "^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$")]
    shop_id: String,
    /// First trading day, such as 2010-12-01.
    #[serde(default)]
    #[param(pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
    from: String,
    /// Last trading day, included.
    #[serde(default)]
    #[param(pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
    to: String,
    /// net or quantity.
    #[serde(default)]
    #[param(inline)]
    by: RankBy,
    /// How many; 20 if not said.
    #[param(minimum = 1, maximum = 200, default = 20)]
    limit: Option<u32>,
}

/// The products that sold best.
#[utoipa::path(get, path = "/v1/analytics/products", tag = "analytics", operation_id = "list_top_products",
    params(ProductsQuery),
    responses((status = 200, body = Data<Series<ProductFigures>>), (status = 404, body = ErrorBody)))]
async fn products(
    State(app): State<App>,
    caller: Can<right::AnalyticsRead>,
    Query(query): Query<ProductsQuery>,
) -> ApiResult<Data<Series<ProductFigures>>> {
    let ProductsQuery { shop_id, from, to, by, limit } = query;
    let range = RangeQuery { shop_id, from, to }.range()?;
    let limit = limit.unwrap_or(20);
    if !(1..=page::MOST).contains(&limit) {
        return Err(ApiError::malformed(format!("limit takes a whole number from 1 to {}", page::MOST)));
    }
    let mut tx = caller.begin(&app).await?;
    Ok(Data::new(service::products(&mut tx, &range, by == RankBy::Quantity, limit).await?))
}
