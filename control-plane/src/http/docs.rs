//! The router as a whole: every noun's routes, health, the OpenAPI document made from them, and its page.

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use super::error::ErrorBody;
use super::openapi::Known;
use super::{ApiError, ApiResult, Data, layers, openapi};
use crate::app::App;
use crate::{domain, web};

/// What somebody who writes a client has to know before the first request.
const GUIDE: &str = "\
What the franchise asks of its head office: shops, catalogue, prices, sales, and the fleet of nodes.

**Sign in** with `POST /v1/auth/login`; put `access_token` under *Authorize* (`Authorization: Bearer ...`). It is good \
for 15 minutes; `POST /v1/auth/refresh` gives the next pair. A person with several tenants is asked to name one; one \
with a second factor gets `mfa.token`, which goes to `POST /v1/auth/mfa` with a code.

**Prices.** `POST /v1/catalog/imports` takes a CSV and answers line by line what came of it; good lines are taken, bad \
ones are told with their number. `PUT /v1/pricing/prices/{code}` changes one price. Connected nodes have either within \
a second; the others when they are back.

**Is everything here?** `GET /v1/shops/{id}/completeness`: a node is whole when `gaps` and `contradictions` are 0 and \
`head_hash_equal` is true as of `checkpoint_at`. Before a node's first checkpoint it is false. \
`mismatched` in `GET /v1/analytics/overview` counts tickets whose total head office computed differently; it should be 0.

**Numbers.** Prices and percentages are decimals in strings (`\"2.55\"`); amounts end in `_minor` and are integers in \
minor units of the currency; dates without a time are trading days of the shop.

**Answers.** `{\"data\": ..., \"pagination\"?}`, or `{\"error\": {\"code\", \"message\", \"details\"?}}`. Decide by `code`, \
show `message`. Lists go on while `pagination.next_cursor` is there: send it as `cursor`.

**Changing what others may change too.** Answers about one thing carry an `ETag`; send it as `If-Match` with the \
change. Without it 428; when somebody else was quicker 412: read again, decide anew. `*` takes whatever is there.

**Sending again.** A write under an `Idempotency-Key` (1 to 128 printable characters) happens once: the same request \
under the same key within 7 days gets the first answer, marked `Idempotency-Replayed: true`; another request under it \
409. A refusal keeps nothing.";

#[derive(OpenApi)]
#[openapi(
    info(title = "Tillway head office", description = GUIDE),
    components(schemas(ErrorBody)),
    security(("bearer" = []))
)]
struct Document;

/// The routes, and the document that is made from them.
fn parts() -> (Router<App>, Value) {
    let (router, mut document) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(domain::routes())
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .split_for_parts();
    if let Some(components) = document.components.as_mut() {
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
    (router, openapi::complete(&document))
}

/// The whole HTTP face of head office.
pub fn router(app: App) -> Router {
    let (router, document) = parts();
    let known = Known::of(&document);
    let router = router
        .route("/health", get(healthz))
        .merge(SwaggerUi::new("/docs").external_url_unchecked("/v1/openapi.json", document))
        .merge(web::router())
        .fallback(unknown);
    layers::wrap(router, &app, known).with_state(app)
}

/// The OpenAPI document as it is served.
pub fn document() -> Value {
    parts().1
}

/// Every path and method there is, as the document lists them: for tests that must not miss one.
pub fn routes_of_all() -> Vec<(String, String)> {
    let value = document();
    let paths = value["paths"].as_object().into_iter().flatten();
    let mut all: Vec<(String, String)> = paths
        .flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten().map(|(method, _)| method.to_ascii_uppercase());
            methods.map(|method| (method, path.clone())).collect::<Vec<_>>()
        })
        .filter(|(method, _)| matches!(method.as_str(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE"))
        .collect();
    all.sort();
    all
}

async fn unknown() -> ApiError {
    ApiError::not_found("address; see /docs")
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", operation_id = "get_health", security(()), responses((status = 200, description = "alive")))]
async fn healthz() -> impl IntoResponse {
    Data::new(serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// The process can do its work: the database answers.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "get_readiness", security(()), responses(
    (status = 200, description = "ready"), (status = 503, body = ErrorBody)))]
async fn readyz(State(app): State<App>) -> ApiResult<Data<Value>> {
    app.db.ping().await?;
    Ok(Data::new(serde_json::json!({ "status": "ready" })))
}
