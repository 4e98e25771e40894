//! The record over JSON.

use axum::extract::State;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::service;
use super::types::{Asked, Done};
use crate::app::App;
use crate::auth::guard::Can;
use crate::auth::policy::right;
use crate::http::{ApiResult, Data, Paging, Query};

/// The routes of the record.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The name of the list in its cursors.
const LIST: &str = "audit";

/// What was done in the company, newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", operation_id = "list_audit", params(Asked, Paging), responses(
    (status = 200, body = Data<Vec<Done>>)))]
async fn list(
    State(app): State<App>,
    can: Can<right::AuditRead>,
    Query(asked): Query<Asked>,
    paging: Paging,
) -> ApiResult<Data<Vec<Done>>> {
    let after: Option<(OffsetDateTime, Uuid)> = paging.after(LIST)?;
    let mut tx = can.begin(&app).await?;
    let rows = service::list(&mut tx, &asked, after, paging.fetch()).await?;
    paging.page(LIST, rows, |row| (row.at, row.id))
}
