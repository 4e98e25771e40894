//! What the lanes of a shop are told when something changes: the bodies of the WebSocket. A lane that missed
//! one asks again; nothing depends on having seen them all.

use protocol::id::{LaneId, TicketId};
use serde::Serialize;
use utoipa::ToSchema;

use super::print_queue::JobView;

/// One change, as JSON `{"type": ..., ...}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Change {
    /// An open ticket was opened, changed, parked or recalled.
    Ticket {
        /// The ticket.
        #[schema(value_type = String)]
        ticket_id: TicketId,
        /// `open`, `parked`, `voided` or `closed`.
        state: &'static str,
        /// The lane that holds it.
        #[schema(value_type = String)]
        lane_id: LaneId,
        /// Its revision after the change.
        revision: u32,
    },
    /// A new catalogue is in force. Open tickets keep the prices they were rung at.
    Catalogue {
        /// Its version.
        version: u64,
        /// The products that changed; left out when they are many, or when all may have.
        #[serde(skip_serializing_if = "Option::is_none")]
        codes: Option<Vec<String>>,
    },
    /// New shop settings are in force.
    Shop {
        /// Their version.
        version: u64,
    },
    /// The people of the shop, or what they may do, changed: ask for them again.
    Staff {
        /// Their version.
        version: u64,
    },
    /// A print job got to another state, or waits for another reason: tell the cashier `message`, if there is one.
    PrintJob(Box<JobView>),
    /// The listener was too slow and missed changes: ask for what is shown.
    Resync {
        /// How many were missed.
        missed: u64,
    },
}
