//! The fleet over JSON: claims and lists for people, enrolment for boxes.
#![allow(unused_qualifications, reason = "the macro of a documented route writes its query's type in full")]

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use protocol::enroll::{EnrollReply, EnrollRequest};
use protocol::id::{NodeId, ShopId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::error::{FleetError, wrong_door};
use super::handle::TlsDoor;
use super::types::{NewClaim, NodeRole, NodeRow, ShopCompleteness};
use super::{rules, service};
use crate::app::App;
use crate::auth::guard::Can;
use crate::auth::policy::right;
use crate::clock::utc;
use crate::http::context::Context;
use crate::http::error::ErrorBody;
use crate::http::idempotency::Write;
use crate::http::{ApiError, ApiResult, Created, Data, Json, Once, Paging, Path, Query};

/// The routes of the fleet.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(enrol))
        .routes(routes!(create_claim))
        .routes(routes!(nodes))
        .routes(routes!(completeness))
}

/// What a claim is asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct ClaimRequest {
    /// What the node will be.
    role: NodeRole,
}

/// A claim. The code is shown this once.
#[derive(Debug, Serialize, ToSchema)]
struct ClaimReply {
    /// Its id.
    claim_id: Uuid,
    /// For `provision enroll --claim`.
    code: String,
    /// When it ends unused.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String)]
    expires_at: time::OffsetDateTime,
}

/// Make a claim: the permission for one box to become a node of the shop, for 24 hours.
#[utoipa::path(post, path = "/v1/shops/{id}/claims", tag = "fleet", operation_id = "create_claim", params(("id" = Uuid, Path),
    ("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    request_body = ClaimRequest, responses((status = 201, body = Data<ClaimReply>), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn create_claim(
    State(app): State<App>,
    caller: Can<right::FleetWrite>,
    Path(shop): Path<Uuid>,
    write: Write<ClaimRequest>,
) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &caller, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let new = NewClaim { role: write.body.role, by: Some((&*caller).into()) };
    let now = app.clock.now();
    let made = service::create_claim(&app.db, once.tx(), ShopId::from_uuid(shop), new, now).await?;
    let reply = ClaimReply { claim_id: made.claim_id, code: made.code, expires_at: utc(made.expires_at) };
    once.save(StatusCode::CREATED, reply).await
}

/// Enrol a box: its claim and a certificate request against a node's identity. Through the TLS door, or plainly
/// from the same machine. Repeating it with the same key gives the same node.
#[utoipa::path(post, path = "/v1/enroll", tag = "fleet", operation_id = "enroll", security(()), request_body(content = Object,
    description = "{secret, csr, terminal_csr?, name?, hostname?, addresses?, agent_version}; `provision enroll` sends it"),
    responses((status = 201, body = Object, description = "identity, certificates and the shop's settings"),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)))]
async fn enrol(
    State(app): State<App>,
    context: Context,
    door: Door,
    Json(request): Json<EnrollRequest>,
) -> ApiResult<Created<EnrollReply>> {
    app.gates.sign_in(context.address())?;
    if !door.enrols {
        tracing::warn!(address = %context.address(), "enrolment through a plain door from elsewhere");
        return Err(wrong_door());
    }
    let caller = service::Caller { host: door.host };
    service::enrol(&app, &caller, &request).await.map(Created).map_err(|refused| {
        if let FleetError::Claim(reason) = &refused {
            metrics::counter!("tillway_enrolments_refused_total", "reason" => reason.name()).increment(1);
            tracing::warn!(address = %context.address(), reason = reason.name(), "enrolment refused");
        }
        ApiError::from(refused)
    })
}

/// Through which door a request came.
struct Door {
    enrols: bool,
    host: Option<String>,
}

impl<S: Sync> axum::extract::FromRequestParts<S> for Door {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        let through_tls = parts.extensions.get::<TlsDoor>().is_some();
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let enrols = rules::may_enrol(through_tls, peer, forwarded(&parts.headers));
        let named = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let host = named.or_else(|| parts.uri.authority().map(ToString::to_string));
        Ok(Self { enrols, host })
    }
}

/// Whether a proxy says that it passed the request on.
fn forwarded(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name))
}

/// Which nodes.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct NodesQuery {
    /// Only of this shop.
    shop_id: Option<Uuid>,
}

/// The name of the list in its cursors.
const LIST: &str = "nodes";

/// The tenant's nodes: last contact, version, and where their logs stand.
#[utoipa::path(get, path = "/v1/nodes", tag = "fleet", operation_id = "list_nodes", params(NodesQuery, Paging), responses(
    (status = 200, body = Data<Vec<NodeRow>>), (status = 401, body = ErrorBody)))]
async fn nodes(
    State(app): State<App>,
    caller: Can<right::FleetRead>,
    Query(query): Query<NodesQuery>,
    paging: Paging,
) -> ApiResult<Data<Vec<NodeRow>>> {
    let after = paging.after::<Uuid>(LIST)?.map(NodeId::from_uuid);
    let mut tx = caller.begin(&app).await?;
    let (rows, next) = service::list(&mut tx, query.shop_id.map(ShopId::from_uuid), after, paging.limit()).await?;
    paging.cut(LIST, rows, next.map(|node| node.as_uuid()))
}

/// Whether head office has every fiscal event that the shop's nodes hold.
#[utoipa::path(get, path = "/v1/shops/{id}/completeness", tag = "fleet", operation_id = "get_completeness", params(("id" = Uuid, Path)), responses(
    (status = 200, body = Data<ShopCompleteness>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn completeness(
    State(app): State<App>,
    caller: Can<right::SalesRead>,
    Path(shop): Path<Uuid>,
) -> ApiResult<Data<ShopCompleteness>> {
    let mut tx = caller.begin(&app).await?;
    Ok(Data::new(service::completeness(&mut tx, ShopId::from_uuid(shop)).await?))
}
