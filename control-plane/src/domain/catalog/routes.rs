//! The catalogue over HTTP: products one by one, the list, and the import. No SQL, no decisions.
#![allow(unused_qualifications, reason = "the macro of a documented route writes its query's type in full")]

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use protocol::collection::Collection;
use protocol::limits;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::import::FileError;
use super::rules::{self, Fault};
use super::service::{self, By, CatalogError};
use super::types::{ImportReport, Outcome, ProductBody, ProductView};
use crate::app::App;
use crate::auth::guard::Can;
use crate::auth::policy::right;
use crate::domain::pricing::types::Source;
use crate::http::error::ErrorBody;
use crate::http::{ApiError, ApiResult, Data, Json, Paging, Path, Precondition, Query, Tagged, body};

/// The routes of the catalogue.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one, put, remove)).routes(routes!(import_file))
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        Self::field(fault.field, fault.message)
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Db(error) => error.into(),
            CatalogError::File(FileError::NotUtf8 | FileError::Empty) => Self::malformed(error.to_string()),
            CatalogError::File(_) | CatalogError::TooMany(_) => Self::validation(error.to_string()),
            CatalogError::Worker(what) => Self::internal(what),
            CatalogError::Refused(refusal) => refusal,
        }
    }
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
struct ListQuery {
    /// Start of a code, words of the description, or a barcode.
    #[serde(default)]
    #[param(required = false, max_length = 512)]
    q: String,
}

/// The name of the list in its cursors.
const LIST: &str = "products";

/// Products by code, page by page.
#[utoipa::path(get, path = "/v1/catalog/products", tag = "catalog", operation_id = "list_products",
    params(ListQuery, Paging), responses((status = 200, body = Data<Vec<ProductView>>), (status = 401, body = ErrorBody)))]
async fn list(
    State(app): State<App>,
    caller: Can<right::CatalogRead>,
    Query(query): Query<ListQuery>,
    paging: Paging,
) -> ApiResult<Data<Vec<ProductView>>> {
    if query.q.len() > limits::DESCRIPTION_BYTES || query.q.contains('\0') {
        return Err(ApiError::malformed("q is longer than any product's text, or has a character that none has"));
    }
    let after: String = paging.after(LIST)?.unwrap_or_default();
    let mut tx = caller.begin(&app).await?;
    let page = service::list(&mut tx, &query.q, &after, paging.limit()).await?;
    paging.cut(LIST, page.products, page.next)
}

/// One product.
#[utoipa::path(get, path = "/v1/catalog/products/{code}", tag = "catalog", operation_id = "get_product",
    params(("code" = String, Path, min_length = 1, max_length = 64)),
    responses((status = 200, body = Data<ProductView>), (status = 404, body = ErrorBody)))]
async fn one(
    State(app): State<App>,
    caller: Can<right::CatalogRead>,
    Path(code): Path<String>,
) -> ApiResult<Tagged<ProductView>> {
    known(&code)?;
    let mut tx = caller.begin(&app).await?;
    let found = service::one(&mut tx, &code).await?;
    found.map(tagged).ok_or_else(|| ApiError::not_found("product"))
}

fn tagged(product: ProductView) -> Tagged<ProductView> {
    let version = product.version;
    Data::new(product).tagged(version)
}

/// A code that could not be one names nothing.
fn known(code: &str) -> ApiResult<()> {
    rules::check_code(code).map_err(|_| ApiError::not_found("product"))
}

/// Makes a product as said (`If-None-Match: *`) or changes it (`If-Match`); its nodes are told at once.
#[utoipa::path(put, path = "/v1/catalog/products/{code}", tag = "catalog", operation_id = "put_product",
    params(("code" = String, Path, min_length = 1, max_length = 64), ("If-Match" = Option<String>, Header, description = "the ETag that you read"),
    ("If-None-Match" = Option<String>, Header, description = "`*` makes a new one; give this or If-Match")), request_body = ProductBody,
    responses((status = 200, body = Data<ProductView>), (status = 422, body = ErrorBody)))]
async fn put(
    State(app): State<App>,
    caller: Can<right::CatalogWrite>,
    Path(code): Path<String>,
    seen: Precondition,
    Json(body): Json<ProductBody>,
) -> ApiResult<Tagged<ProductView>> {
    let wanted = rules::check_body(&code, body)?;
    let by = By::of(&caller, Source::Product, app.clock.now());
    let mut tx = caller.begin(&app).await?;
    // Locked before it is looked at: of two who saw the same, the second is told.
    service::lock(&mut tx, by.at).await?;
    seen.check(service::one(&mut tx, &code).await?.map(|product| product.version))?;
    let changed = service::change(&mut tx, by, std::slice::from_ref(&wanted)).await?;
    let product = service::one(&mut tx, &code).await?.ok_or_else(|| ApiError::not_found("product"))?;
    tx.save().await?;
    if !changed.changes.is_empty() {
        app.hint(caller.tenant, Collection::Catalogue);
    }
    Ok(tagged(product))
}

/// What became of a product that was removed.
#[derive(Debug, Serialize, ToSchema)]
struct Removed {
    /// Its code.
    code: String,
    /// The catalogue version without it.
    version: u64,
}

/// Takes a product out of sale. Its past stays; a later PUT brings it back.
#[utoipa::path(delete, path = "/v1/catalog/products/{code}", tag = "catalog", operation_id = "delete_product",
    params(("code" = String, Path, min_length = 1, max_length = 64)),
    responses((status = 200, body = Data<Removed>), (status = 404, body = ErrorBody)))]
async fn remove(
    State(app): State<App>,
    caller: Can<right::CatalogWrite>,
    Path(code): Path<String>,
) -> ApiResult<Data<Removed>> {
    known(&code)?;
    let by = By::of(&caller, Source::Removal, app.clock.now());
    let mut tx = caller.begin(&app).await?;
    let version = service::remove(&mut tx, by, &code).await?.ok_or_else(|| ApiError::not_found("product"))?;
    tx.save().await?;
    app.hint(caller.tenant, Collection::Catalogue);
    Ok(Data::new(Removed { code, version }))
}

/// How much of the report is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ReportOf {
    /// Every line.
    #[default]
    All,
    /// Only lines that were not taken.
    Problems,
}

/// How an import is to be told.
#[derive(Debug, Deserialize, IntoParams)]
struct ImportQuery {
    /// `all` lines, or `problems` only.
    #[serde(default)]
    #[param(inline)]
    report: ReportOf,
}

/// Takes a catalogue file in (CSV; header line code,description,unit_price[,tax_rate_percent][,unit][,barcodes] in
/// any order). Good lines are taken together, bad ones are told one by one. The same file again changes nothing.
#[utoipa::path(post, path = "/v1/catalog/imports", tag = "catalog", operation_id = "import_catalog",
    params(ImportQuery), request_body(content = String, content_type = "text/csv", example = json!("code,description,unit_price\nBUN,Currant bun,0.95\n")),
    responses((status = 200, body = Data<ImportReport>), (status = 413, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn import_file(
    State(app): State<App>,
    caller: Can<right::CatalogWrite>,
    Query(query): Query<ImportQuery>,
    headers: HeaderMap,
    sent: Body,
) -> ApiResult<Data<ImportReport>> {
    let bytes = body::read(sent, limits::IMPORT_BODY_BYTES).await?;
    body::expect_type(&headers, &["text/csv", "text/plain", "application/octet-stream"])?;
    let mut report = service::import(&app, &caller, bytes).await?;
    if query.report == ReportOf::Problems {
        report.lines.retain(|line| line.outcome == Outcome::Rejected);
    }
    Ok(Data::new(report))
}
