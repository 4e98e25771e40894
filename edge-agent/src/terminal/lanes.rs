//! Routes about the lanes themselves: which are paired, which are there. Decides nothing.

use axum::Json;
use axum::extract::State;
use protocol::id::LaneId;
use protocol::lane_message::Activity;
use serde::Serialize;
use utoipa::ToSchema;

use super::Till;
use super::error::{ApiResult, ErrorEnvelope};
use super::extract::Caller;
use crate::core::lane::view::Data;

/// A paired lane.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LaneView {
    /// The lane.
    #[schema(value_type = String)]
    lane_id: LaneId,
    /// What people call it.
    name: String,
    /// Since when it is paired, UTC.
    paired_at: String,
    /// Whether it is connected to the in-store messages (MQTT). A lane that only uses this API never is.
    online: bool,
    /// When the connection began that was last heard of, UTC; left out if there was none since the node began.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// What it is doing, if it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    doing: Option<Activity>,
}

/// Lists the paired lanes and which of them are there.
#[utoipa::path(get, path = "/v1/lanes", tag = "changes",
    responses((status = 200, body = Data<Vec<LaneView>>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn list(_: Caller, State(till): State<Till>) -> ApiResult<Json<Data<Vec<LaneView>>>> {
    let paired = till.desk.lanes().await?;
    let view = |lane: crate::core::pairing::Lane| {
        let seen = till.lanes.seen(lane.id);
        LaneView {
            lane_id: lane.id,
            name: lane.name,
            paired_at: lane.paired_at.to_string(),
            online: seen.is_some_and(|seen| seen.online),
            since: seen.map(|seen| seen.since.to_string()),
            doing: seen.and_then(|seen| seen.doing),
        }
    };
    Ok(Json(Data { data: paired.into_iter().map(view).collect() }))
}
