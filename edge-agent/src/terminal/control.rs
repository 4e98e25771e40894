//! The control socket: what tools on the box may ask of the running agent. Who can open the socket's file is
//! the agent's owner; no token is asked.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get, post};
use protocol::id::LaneId;
use serde::{Deserialize, Serialize};

use super::Till;
use super::error::ApiResult;
use super::extract::{At, Body};
use super::{method_not_allowed, unknown_route};
use crate::core::lane::view::Data;

/// How many lanes a code pairs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakeCode {
    /// How many.
    pub lanes: u16,
}

/// A pairing code.
#[derive(Debug, Serialize, Deserialize)]
pub struct Made {
    /// The code.
    pub code: String,
    /// When it stops working, UTC.
    pub expires_at: String,
}

/// A paired lane.
#[derive(Debug, Serialize, Deserialize)]
pub struct LaneView {
    /// Its id.
    pub lane_id: LaneId,
    /// Its name.
    pub name: String,
    /// Since when, UTC.
    pub paired_at: String,
}

/// The routes of the control socket.
pub fn router(till: Till) -> Router {
    Router::new()
        .route("/v1/pairings", post(make_code))
        .route("/v1/lanes", get(lanes))
        .route("/v1/lanes/{id}", delete(revoke))
        .fallback(unknown_route)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(till)
}

async fn make_code(State(till): State<Till>, body: Body<MakeCode>) -> ApiResult<Json<Data<Made>>> {
    let made = till.desk.make_code(body.value.lanes).await?;
    Ok(Json(Data { data: Made { code: made.code, expires_at: made.expires_at.to_string() } }))
}

async fn lanes(State(till): State<Till>) -> ApiResult<Json<Data<Vec<LaneView>>>> {
    let lanes = till.desk.lanes().await?.into_iter();
    let view = lanes.map(|lane| LaneView { lane_id: lane.id, name: lane.name, paired_at: lane.paired_at.to_string() });
    Ok(Json(Data { data: view.collect() }))
}

async fn revoke(State(till): State<Till>, At(lane): At<LaneId>) -> ApiResult<Json<Data<()>>> {
    till.desk.revoke(lane).await?;
    tracing::info!(%lane, "a lane was revoked");
    Ok(Json(Data { data: () }))
}
