//! How the shop stands, gathered from those who know: tickets and lanes from the desk, versions from the snapshots,
//! devices from their room. Translates; decides nothing.

use std::time::Duration;

use protocol::collection::Collection;
use protocol::lane_message::{Device, DeviceCondition, DeviceKind, Moment, V1};

use super::Sources;
use crate::core::coordination::Facts;
use crate::core::refusal::Refusal;
use crate::desk::Outcome;
use crate::device::{self, Condition, DeviceState};

/// A desk that has not answered by then is waiting for its disk; lanes are told to ask again.
const WITHIN: Duration = Duration::from_secs(5);

/// Gathers the facts.
///
/// # Errors
/// The desk does not answer: the node is stopping, or its disk stands still.
pub(super) async fn gather(from: Sources) -> Outcome<Facts> {
    let late = |_| Refusal::unavailable("the node is busy; ask again");
    tokio::time::timeout(WITHIN, ask(from)).await.map_err(late)?
}

async fn ask(from: Sources) -> Outcome<Facts> {
    let tickets = from.desk.overview().await?;
    let paired = from.desk.lanes().await?.into_iter().map(|lane| (lane.id, lane.name)).collect();
    Ok(Facts {
        at: from.clock.now(),
        tickets,
        collections: Collection::ALL.map(|collection| (collection, from.snapshots.have(collection))).to_vec(),
        devices: from.devices.list().into_iter().map(device).collect(),
        paired,
    })
}

/// A device as a message says it.
pub(super) fn device(state: DeviceState) -> Device {
    let DeviceState { name, kind, state, since, detail } = state;
    Device {
        v: V1,
        device: name,
        kind: match kind {
            device::DeviceKind::Printer => DeviceKind::Printer,
        },
        state: match state {
            Condition::Unknown => DeviceCondition::Unknown,
            Condition::Ready => DeviceCondition::Ready,
            Condition::Warning => DeviceCondition::Warning,
            Condition::Attention => DeviceCondition::Attention,
            Condition::Offline => DeviceCondition::Offline,
        },
        since: Moment(since),
        detail,
    }
}
