//! Routes that are not about open tickets: pairing, products, the shop, receipts, write-offs, health.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use protocol::collection::{Product, Unit};
use protocol::id::{LaneId, NodeId, Seq, ShopId, Stream, Term};
use protocol::limits;
use protocol::money::Currency;
use protocol::price::UnitPrice;
use protocol::tax::{TaxBasis, TaxMode, TaxRate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Till;
use super::body::{PairBody, WriteOffBody};
use super::error::{ApiError, ApiResult, ErrorEnvelope};
use super::extract::{Asked, At, Body, Caller, Peer, Write};
use super::tickets::pass;
use crate::core::lane::Command;
use crate::core::lane::receipt::{ReceiptAnswer, WriteOffView, answer};
use crate::core::lane::view::Data;
use crate::core::refusal::{Refusal, Why};

/// A product as a shop sells it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProductView {
    /// What lines and write-offs name it by.
    code: String,
    /// As on the receipt.
    description: String,
    /// What one costs, in whole units of the currency.
    #[schema(value_type = String, example = "2.40")]
    unit_price: UnitPrice,
    /// In millionths: 200000 is 20 %.
    #[schema(value_type = u32, example = 200_000)]
    tax_rate_ppm: TaxRate,
    /// What a quantity of 1 is, such as `piece` or `kg`.
    #[schema(value_type = String)]
    unit: Unit,
    /// A scan of any of them finds the product.
    barcodes: Vec<String>,
}

impl From<Product> for ProductView {
    fn from(product: Product) -> Self {
        let Product { code, description, unit_price, tax_rate, unit, barcodes } = product;
        Self { code, description, unit_price, tax_rate_ppm: tax_rate, unit, barcodes }
    }
}

/// The shop and its node.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ShopView {
    /// The shop.
    #[schema(value_type = String)]
    shop_id: ShopId,
    /// The node that answers.
    #[schema(value_type = String)]
    node_id: NodeId,
    /// Counts how often the node began anew; receipts are named by term and seq.
    #[schema(value_type = u32)]
    term: Term,
    /// As on the receipt.
    name: String,
    /// IANA time zone.
    zone: String,
    /// Start of the trading day, `HH:MM`.
    day_starts: String,
    /// ISO 4217.
    #[schema(value_type = String)]
    currency: Currency,
    /// `inclusive`: prices contain the tax; `exclusive`: it comes on top.
    #[schema(value_type = String)]
    tax_mode: TaxMode,
    /// Where tax is rounded: `per_receipt` or `per_line`.
    #[schema(value_type = String)]
    tax_basis: TaxBasis,
    /// Cash is paid in multiples of so many minor units.
    cash_step: u16,
    /// Whether paper receipts may be rung later with their own time.
    late_entry: bool,
    /// The rate of open-price lines that name none, in millionths.
    #[schema(value_type = u32)]
    open_line_tax_rate_ppm: TaxRate,
    /// Version of these settings.
    shop_version: u64,
    /// Version of the catalogue in force; 0 until the first one came.
    catalogue_version: u64,
    /// How many products it has.
    products: usize,
}

fn shop_view(till: &Till) -> ApiResult<ShopView> {
    let shop = till.snapshots.shop().ok_or_else(|| Refusal::unavailable("the node has no shop settings yet"))?;
    let (book, settings) = (till.snapshots.book(), &shop.settings);
    let starts = settings.day_starts_minutes;
    Ok(ShopView {
        shop_id: settings.shop,
        node_id: till.logs.node(),
        term: till.logs.term(),
        name: settings.name.clone(),
        zone: settings.zone.clone(),
        day_starts: format!("{:02}:{:02}", starts / 60, starts % 60),
        currency: settings.currency,
        tax_mode: settings.tax_mode,
        tax_basis: settings.tax_basis,
        cash_step: settings.cash_step,
        late_entry: settings.late_entry,
        open_line_tax_rate_ppm: settings.open_line_tax_rate,
        shop_version: settings.version.0,
        catalogue_version: book.version().0,
        products: book.len(),
    })
}

/// A lane that was paired.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PairedView {
    /// The lane, as tickets and receipts name it.
    #[schema(value_type = String)]
    lane_id: LaneId,
    /// What people call it.
    name: String,
    /// The bearer token; shown this once.
    token: String,
    shop: ShopView,
}

/// Pairs a lane with a code.
#[utoipa::path(post, path = "/v1/pair", tag = "pairing", request_body = PairBody, security(()),
    responses((status = 200, body = Data<PairedView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn pair(
    State(till): State<Till>,
    Peer(peer): Peer,
    body: Body<PairBody>,
) -> ApiResult<Json<Data<PairedView>>> {
    let PairBody { code, name } = body.value;
    let shop = shop_view(&till)?;
    let now = till.clock.now();
    till.throttle(|throttle| throttle.may_try(peer, now))?;
    let paired = till.desk.pair(code, name).await;
    if paired.as_ref().is_err_and(|refusal| refusal.why == Why::Unauthenticated) {
        metrics::counter!("tillway_pairing_codes_refused_total").increment(1);
        tracing::warn!(%peer, "a pairing code was refused");
        till.throttle(|throttle| throttle.failed(peer, now));
    }
    let lane = paired?;
    tracing::info!(lane = %lane.id, %peer, "a lane was paired");
    Ok(Json(Data { data: PairedView { lane_id: lane.id, name: lane.name, token: lane.token, shop } }))
}

/// The shop's settings.
#[utoipa::path(get, path = "/v1/shop", tag = "shop",
    responses((status = 200, body = Data<ShopView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn shop(_: Caller, State(till): State<Till>) -> ApiResult<Json<Data<ShopView>>> {
    Ok(Json(Data { data: shop_view(&till)? }))
}

/// What to look for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductQuery {
    /// An exact code or barcode.
    code: Option<String>,
    /// Words of the code or description, without regard to case.
    q: Option<String>,
    /// How many at most (20 when left out, at most 100).
    limit: Option<usize>,
}

/// Looks products up, by exact code or by text.
#[utoipa::path(get, path = "/v1/products", tag = "products", 
    params(("code" = Option<String>, Query, description = "an exact code or barcode"),
        ("q" = Option<String>, Query, description = "words of the code or description"),
        ("limit" = Option<usize>, Query, description = "how many at most; 20 when left out, at most 100")),
    responses((status = 200, body = Data<Vec<ProductView>>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn products(
    _: Caller,
    State(till): State<Till>,
    Asked(query): Asked<ProductQuery>,
) -> ApiResult<Json<Data<Vec<ProductView>>>> {
    let book = till.snapshots.book();
    let most = query.limit.unwrap_or(20).clamp(1, limits::SEARCH_PRODUCTS);
    let found = match (query.code, query.q) {
        (Some(code), None) => book.find(&code).into_iter().collect(),
        (None, q) => {
            let text = q.unwrap_or_default();
            if text.len() > limits::DESCRIPTION_BYTES {
                return Err(ApiError::malformed("q: too long"));
            }
            tokio::task::spawn_blocking(move || book.search(&text, most))
                .await
                .map_err(|_| Refusal::unavailable("the search was cut off"))?
        }
        (Some(_), Some(_)) => return Err(ApiError::malformed("either `code` or `q`, not both")),
    };
    Ok(Json(Data { data: found.into_iter().map(ProductView::from).collect() }))
}

/// Shows one product.
#[utoipa::path(get, path = "/v1/products/{code}", tag = "products", params(("code" = String, Path)),
    responses((status = 200, body = Data<ProductView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn product(
    _: Caller,
    State(till): State<Till>,
    At(code): At<String>,
) -> ApiResult<Json<Data<ProductView>>> {
    let found = till.snapshots.book().find(&code);
    let found =
        found.ok_or_else(|| Refusal::not_found(format!("the catalogue has no product with the code {code:?}")))?;
    Ok(Json(Data { data: found.into() }))
}

/// Shows a receipt again.
#[utoipa::path(get, path = "/v1/receipts/{term}/{seq}", tag = "receipts",
    params(("term" = u32, Path), ("seq" = u64, Path)),
    responses((status = 200, body = Data<ReceiptAnswer>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn receipt(
    _: Caller,
    State(till): State<Till>,
    At((term, seq)): At<(Term, Seq)>,
) -> ApiResult<Response> {
    let logs = till.logs.clone();
    let read = tokio::task::spawn_blocking(move || {
        if term != logs.term() {
            return Ok(None);
        }
        let record = logs.read_one(Stream::Fiscal, seq)?;
        Ok(record.and_then(|record| answer(logs.node(), term, seq, &record.event)))
    });
    let read: Result<_, crate::ledger::LedgerError> =
        read.await.map_err(|_| Refusal::unavailable("the reading was cut off"))?;
    let found = read.map_err(|error| Refusal::unavailable(format!("the fiscal log cannot be read: {error}")))?;
    let (_, answer) = found.ok_or_else(|| Refusal::not_found("this node has no such receipt"))?;
    Ok(pass(answer))
}

/// Writes stock off; answered when its record is on the disk.
#[utoipa::path(post, path = "/v1/write-offs", tag = "stock", request_body = WriteOffBody,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Data<WriteOffView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn write_off(State(till): State<Till>, write: Write<WriteOffBody>) -> ApiResult<Response> {
    let (WriteOffBody { reason, reference, at, lines }, envelope) = write.split();
    let lines = lines.into_iter().map(Into::into).collect();
    envelope.send(&till, Command::WriteOff { reason, reference, at, lines }).await.map(pass)
}

/// The process is alive.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alive {
    status: &'static str,
    version: &'static str,
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()), responses((status = 200, body = Data<Alive>)))]
pub(super) async fn healthz() -> Json<Data<Alive>> {
    Json(Data { data: Alive { status: "ok", version: env!("CARGO_PKG_VERSION") } })
}

/// Whether the node can sell.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()),
    responses((status = 200, body = Data<crate::core::health::Report>), (status = 503, body = ErrorEnvelope)))]
pub(super) async fn readyz(State(till): State<Till>) -> ApiResult<Json<Data<crate::core::health::Report>>> {
    let report = till.health.borrow().clone();
    if report.ready() {
        return Ok(Json(Data { data: report }));
    }
    let problems = serde_json::json!({ "problems": report.problems });
    Err(Refusal::unavailable("the node cannot sell now").with(problems).into())
}
