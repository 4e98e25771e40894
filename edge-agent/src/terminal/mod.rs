//! The doors for lanes: HTTP and WebSocket on the shop's LAN and on loopback, and the control socket for tools
//! on the box. Reads requests and passes answers on; decides nothing and stores nothing.

mod body;
pub mod control;
mod document;
mod error;
mod extract;
mod lanes;
mod prints;
pub mod serve;
mod shop;
mod staff;
mod tickets;
mod ws;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use protocol::limits;
use tokio::sync::{Semaphore, broadcast, watch};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::Clock;
use crate::core::change::Change;
use crate::core::coordination::document::asyncapi;
use crate::core::health::Report;
use crate::core::pairing::Throttle;
use crate::desk::{Desk, Roster};
use crate::lanes::Lanes;
use crate::ledger::Logs;
use crate::pins::Pins;
use crate::snapshot::Snapshots;
use crate::spool::Spool;
use crate::telemetry::{sale, spans};
use error::ApiError;

/// What the terminal routes work with.
#[derive(Clone)]
pub struct Till {
    /// Where to ask the lanes.
    pub desk: Desk,
    /// Whose token is whose.
    pub roster: Roster,
    /// Who is online.
    pub lanes: Lanes,
    /// Catalogue and settings in force.
    pub snapshots: Snapshots,
    /// The logs, to show receipts again.
    pub logs: Logs,
    /// Where PINs are checked.
    pub pins: Pins,
    /// Where printing is asked.
    pub spool: Spool,
    /// The time.
    pub clock: Clock,
    /// What changes.
    pub changes: broadcast::Sender<Change>,
    /// How the node does.
    pub health: watch::Receiver<Report>,
    /// Turns true when the node stops.
    pub stopping: watch::Receiver<bool>,
    /// Room for listeners on the WebSocket.
    pub sockets: Arc<Semaphore>,
    /// Wrong pairing codes.
    pub throttle: Arc<Mutex<Throttle<IpAddr>>>,
}

impl Till {
    /// Room for every lane's listener, and as many again for screens.
    pub fn sockets() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(limits::LANES * 2))
    }

    fn throttle<T>(&self, ask: impl FnOnce(&mut Throttle<IpAddr>) -> T) -> T {
        ask(&mut self.throttle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The routes with their description.
fn described() -> (Router<Till>, OpenApi) {
    let (router, mut openapi) = OpenApiRouter::with_openapi(document::head())
        .routes(routes!(shop::pair))
        .routes(routes!(shop::shop))
        .routes(routes!(shop::products))
        .routes(routes!(shop::product))
        .routes(routes!(tickets::open, tickets::list))
        .routes(routes!(tickets::show))
        .routes(routes!(tickets::add_line))
        .routes(routes!(tickets::change_line))
        .routes(routes!(tickets::void_line))
        .routes(routes!(tickets::set_discount))
        .routes(routes!(tickets::add_tender))
        .routes(routes!(tickets::remove_tender))
        .routes(routes!(tickets::park))
        .routes(routes!(tickets::recall))
        .routes(routes!(tickets::void))
        .routes(routes!(tickets::close))
        .routes(routes!(shop::write_off))
        .routes(routes!(staff::list))
        .routes(routes!(staff::sign_in))
        .routes(routes!(staff::sign_out))
        .routes(routes!(staff::no_sale))
        .routes(routes!(shop::receipt))
        .routes(routes!(prints::jobs))
        .routes(routes!(prints::job))
        .routes(routes!(prints::print))
        .routes(routes!(lanes::list))
        .routes(routes!(ws::changes))
        .routes(routes!(shop::healthz))
        .routes(routes!(shop::readyz))
        .split_for_parts();
    document::complete(&mut openapi);
    (router, openapi)
}

/// The description of the API.
pub fn openapi() -> OpenApi {
    described().1
}

/// The router of the terminal doors.
pub fn router(till: Till) -> Router {
    let (router, openapi) = described();
    let document = axum::Json(openapi);
    router
        .route("/health", axum::routing::get(shop::healthz))
        .route("/v1/openapi.json", axum::routing::get(async move || document))
        .route("/v1/asyncapi.json", axum::routing::get(async || axum::Json(asyncapi())))
        .fallback(unknown_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(limits::HTTP_BODY_BYTES))
        .layer(middleware::from_fn(measure))
        .with_state(till)
}

async fn unknown_route() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is no such route; see /v1/openapi.json")
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "VALIDATION", "this route has other methods; see /v1/openapi.json")
}

/// Counts and times requests by route, never by what they carry.
async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let began = Instant::now();
    let (from, header) = (spans::now(), request.headers().get("traceparent").cloned());
    let response = next.run(request).await;
    if let Some(record) = response.extensions().get::<sale::Record>() {
        sale::told(*record, from, &route, header.as_ref().and_then(|header| header.to_str().ok()));
    }
    let status = response.status().as_str().to_owned();
    metrics::histogram!("tillway_terminal_seconds", "route" => route.clone()).record(began.elapsed());
    metrics::counter!("tillway_terminal_requests_total", "route" => route, "status" => status).increment(1);
    response
}
