//! The company over JSON: what it is called, how it stands, closing it, the way to the first sale.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::types::{CloseCompany, Company, CompanyPatch, Step};
use super::{company, life, registrations, rules, service};
use crate::app::App;
use crate::auth::guard::Can;
use crate::auth::policy::right;
use crate::domain::audit;
use crate::http::idempotency::Write;
use crate::http::{ApiError, ApiResult, Data, IfMatch, Once, Tagged};

/// The routes of tenants.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(registrations::routes())
        .routes(routes!(get, update))
        .routes(routes!(close))
        .routes(routes!(keep))
        .routes(routes!(steps))
}

/// The company.
#[utoipa::path(get, path = "/v1/company", tag = "company", operation_id = "get_company", responses(
    (status = 200, body = Data<Company>)))]
async fn get(State(app): State<App>, can: Can<right::CompanyRead>) -> ApiResult<Tagged<Company>> {
    let mut tx = can.begin(&app).await?;
    let company = company::get(&mut tx).await?;
    let version = company.version;
    Ok(Data::new(company).tagged(version))
}

/// Change what the company says of itself.
#[utoipa::path(patch, path = "/v1/company", tag = "company", operation_id = "update_company",
    params(("If-Match" = String, Header, description = "the ETag that you read, or *"),
    ("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    request_body = CompanyPatch, responses((status = 200, body = Data<Company>)))]
async fn update(
    State(app): State<App>,
    can: Can<right::CompanyWrite>,
    seen: IfMatch,
    write: Write<CompanyPatch>,
) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &can, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let now = app.clock.now();
    let (company, entry) = company::update(once.tx(), &seen, write.body, now).await?;
    audit::service::record(once.tx(), &*can, &entry, now).await?;
    once.save_tagged(StatusCode::OK, company.version, company).await
}

/// Close the company's account in thirty days. Until then everything goes on, and it can be undone.
#[utoipa::path(post, path = "/v1/company/close", tag = "company", operation_id = "close_company",
    params(("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    request_body = CloseCompany, responses((status = 200, body = Data<Company>),
    (status = 409, description = "It is to be closed already")))]
async fn close(
    State(app): State<App>,
    can: Can<right::CompanyClose>,
    write: Write<CloseCompany>,
) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &can, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let now = app.clock.now();
    let name = service::account(once.tx()).await?.name;
    typed(&write.body.name, &name)?;
    let entry = life::begin_closing(once.tx(), now).await?;
    audit::service::record(once.tx(), &*can, &entry, now).await?;
    let company = company::get(once.tx()).await?;
    once.save(StatusCode::OK, company).await
}

/// That the name was typed as it stands.
pub(super) fn typed(typed: &str, name: &str) -> ApiResult<()> {
    if typed.trim() == name {
        return Ok(());
    }
    let days = rules::GRACE_DAYS;
    Err(ApiError::field("name", format!("type the company's name as it stands, to close it in {days} days")))
}

/// Keep the company, which was to be closed.
#[utoipa::path(post, path = "/v1/company/keep", tag = "company", operation_id = "keep_company", responses(
    (status = 200, body = Data<Company>), (status = 409, description = "Nobody asked to close it")))]
async fn keep(State(app): State<App>, can: Can<right::CompanyClose>) -> ApiResult<Data<Company>> {
    let now = app.clock.now();
    let mut tx = can.begin(&app).await?;
    let entry = life::keep_open(&mut tx, now).await?;
    audit::service::record(&mut tx, &*can, &entry, now).await?;
    let company = company::get(&mut tx).await?;
    tx.save().await?;
    Ok(Data::new(company))
}

/// The way to the first sale, as far as the company has come.
#[utoipa::path(get, path = "/v1/company/getting-started", tag = "company", operation_id = "list_getting_started", responses(
    (status = 200, body = Data<Vec<Step>>)))]
async fn steps(State(app): State<App>, can: Can<right::CompanyRead>) -> ApiResult<Data<Vec<Step>>> {
    let mut tx = can.begin(&app).await?;
    Ok(Data::new(rules::steps(&service::census(&mut tx).await?).to_vec()))
}
