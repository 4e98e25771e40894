//! What happens around every handler: an id, a rate limit, a time limit, a net under panics, security headers,
//! one access log line and its metrics.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use protocol::limits;
use tracing::Instrument;

use super::context::Context;
use super::error::Code;
use super::openapi::Known;
use super::{ApiError, ApiResult, body, cors, rate};
use crate::app::App;
use crate::telemetry::access;
use crate::{rng, web};

/// The header that names a request, in the answer and in the log.
pub const REQUEST_ID: &str = "x-request-id";
/// How long a handler may take.
const REQUEST_PATIENCE: Duration = Duration::from_secs(30);
/// How long an import may take.
const IMPORT_PATIENCE: Duration = Duration::from_secs(300);

/// A router with everything around it. Outermost the id, the log and the headers; then what foreign pages may read;
/// then the limits, so that a page hears of a refusal too.
pub fn wrap(router: Router<App>, app: &App, known: Known) -> Router<App> {
    let router = router
        .layer(DefaultBodyLimit::max(limits::HTTP_BODY_BYTES))
        .layer(middleware::from_fn_with_state((app.clone(), Arc::new(known)), admitted));
    let router = if app.cors_origins.is_empty() { router } else { router.layer(cors::layer(&app.cors_origins)) };
    router.layer(middleware::from_fn_with_state(app.clone(), around))
}

async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let asked = access::Asked::of(&request);
    let now = app.clock.now();
    let context = Context::of(&request, rng::id(now), app.trust_forwarded);
    request.extensions_mut().insert(context.clone());
    let path = request.uri().path().to_owned();
    let as_page = web::error::wants_page(&path, request.headers());
    let mut response = next.run(request).instrument(tracing::info_span!("request", request_id = %context.id())).await;
    if as_page {
        response = web::error::as_page(response);
    }
    harden(&mut response, &context, &path);
    if path.starts_with("/v1/") {
        limits_told(&mut response, &app, &context);
    }
    asked.answered(&context, response.status());
    response
}

async fn admitted(
    State((app, known)): State<(App, Arc<Known>)>,
    context: Context,
    request: Request,
    next: Next,
) -> Response {
    match admit(&app, &known, &context, &request) {
        Ok(()) => guarded(request, next).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Before anything is read: too many, too large, not understood.
fn admit(app: &App, known: &Known, context: &Context, request: &Request) -> ApiResult<()> {
    app.gates.address(context.address())?;
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    known.check(request.method(), route, request.uri().query().unwrap_or_default())?;
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length: u64 = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    // Beyond what is worth draining; up to there the reader of the body refuses it and the client hears why.
    if length > 4 << 30 {
        return Err(body::too_large(limits::IMPORT_BODY_BYTES));
    }
    Ok(())
}

async fn guarded(request: Request, next: Next) -> Response {
    let patience = if ["/imports", "/import"].iter().any(|end| request.uri().path().ends_with(end)) {
        IMPORT_PATIENCE
    } else {
        REQUEST_PATIENCE
    };
    let method = request.method().clone();
    let running = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(patience, running).await {
        Ok(Ok(response)) => shaped(&method, response),
        Ok(Err(panic)) => {
            let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            metrics::counter!("tillway_http_panics_total").increment(1);
            ApiError::internal(format!("a handler panicked: {said}")).into_response()
        }
        Err(_) => ApiError::unavailable("the request took too long and was given up").into_response(),
    }
}

/// Refusals that the framework made itself (a method that is not allowed, a body axum refused) get our shape.
fn shaped(method: &Method, response: Response) -> Response {
    let ours = response.extensions().get::<Code>().is_some();
    let status = response.status();
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if is_json {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    if *method == Method::OPTIONS && status == StatusCode::METHOD_NOT_ALLOWED {
        return StatusCode::NO_CONTENT.into_response(); // the router puts Allow on it
    }
    let mut refusal = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            ApiError::new(status, Code::Validation, "this address does not take that method")
        }
        StatusCode::NOT_FOUND => ApiError::not_found("address"),
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(status, Code::Validation, "the body is too large"),
        StatusCode::UNAUTHORIZED => ApiError::authn("sign in"),
        StatusCode::FORBIDDEN => ApiError::authz("not allowed"),
        other if other.is_client_error() => {
            ApiError::new(other, Code::Validation, other.canonical_reason().unwrap_or("the request is wrong"))
        }
        other => ApiError { status: other, ..ApiError::internal("a layer refused without saying why") },
    }
    .into_response();
    if let Some(allow) = allow {
        refusal.headers_mut().insert(header::ALLOW, allow);
    }
    refusal
}

const HEADERS: [(HeaderName, HeaderValue); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), microphone=(), geolocation=()"),
    ),
];

fn harden(response: &mut Response, context: &Context, path: &str) {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    let policy = if path.starts_with("/docs") {
        // The hash is of the one style that Swagger UI puts into its page: the colours of its logo.
        "default-src 'none'; script-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
         style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    } else {
        "default-src 'none'; frame-ancestors 'none'"
    };
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(policy));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&context.id().to_string()) {
        headers.insert(REQUEST_ID, id);
    }
}

/// How much of the limits is left, for clients that pace themselves.
fn limits_told(response: &mut Response, app: &App, context: &Context) {
    let (policy, left) = app.gates.told(context.address(), context.caller().map(|caller| caller.tenant));
    for (name, value) in [(rate::POLICY, policy), (rate::LEFT, left)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
}
