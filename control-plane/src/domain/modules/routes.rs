//! The registry over JSON.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service;
use super::types::{ModuleView, Switches};
use crate::app::App;
use crate::auth::guard::Can;
use crate::auth::policy::right;
use crate::http::{ApiResult, Data};

/// The routes of modules.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(registry)).routes(routes!(switches))
}

/// Modules, features and permissions that there are.
#[utoipa::path(get, path = "/v1/module-registry", tag = "modules", operation_id = "list_modules", responses(
    (status = 200, body = Data<Vec<ModuleView>>)))]
async fn registry(State(app): State<App>, can: Can<right::CompanyRead>) -> ApiResult<Data<Vec<ModuleView>>> {
    let mut tx = can.begin(&app).await?;
    Ok(Data::new(service::registry(&mut tx).await?))
}

/// Which modules and features the company has.
#[utoipa::path(get, path = "/v1/company/modules", tag = "modules", operation_id = "list_company_modules", responses(
    (status = 200, body = Data<Switches>)))]
async fn switches(State(app): State<App>, can: Can<right::CompanyRead>) -> ApiResult<Data<Switches>> {
    let mut tx = can.begin(&app).await?;
    Ok(Data::new(service::switches(&mut tx).await?))
}
