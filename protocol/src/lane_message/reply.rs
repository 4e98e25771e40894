//! The answer to an ask: what is shown, in parts that each fit a message. Pure: packs what it is given.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Activity, Body, Device, MessageError, Moment, TicketStanding, V1, plain};
use crate::collection::Version;
use crate::id::{LaneId, TicketId};
use crate::limits;
use crate::money::Currency;

/// An open or parked ticket, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TicketNow {
    /// The ticket.
    #[schema(value_type = Uuid)]
    pub ticket_id: TicketId,
    /// What it is now.
    pub state: TicketStanding,
    /// The lane that holds it, or parked it.
    #[schema(value_type = Uuid)]
    pub lane_id: LaneId,
    /// Its revision.
    pub revision: u32,
    /// Lines that count.
    pub lines: u32,
    /// What the customer pays, in minor units; negative when money goes back.
    pub total_minor: i64,
    /// What of it is not paid yet, in minor units.
    pub due_minor: i64,
    /// ISO 4217.
    #[schema(value_type = String, max_length = 3)]
    pub currency: Currency,
    /// When it was opened.
    pub opened_at: Moment,
    /// What was written on it when it was parked; cut short when it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 512)]
    pub note: Option<String>,
}

/// A collection and its version in force; 0 means that none came yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CollectionNow {
    /// `catalogue`, `shop` or `staff`.
    #[schema(max_length = 32)]
    pub collection: String,
    /// The version in force.
    #[schema(value_type = u64)]
    pub version: Version,
}

/// A paired lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LaneNow {
    /// The lane.
    #[schema(value_type = Uuid)]
    pub lane_id: LaneId,
    /// What people call it.
    #[schema(max_length = 64)]
    pub name: String,
    /// Whether it is connected.
    pub online: bool,
    /// Since when that is so; none: it was not seen since the node began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// What it is doing, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doing: Option<Activity>,
}

/// What a part carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Content {
    /// Open and parked tickets. What is in none of the parts is not open any more.
    Tickets {
        /// Ticket messages up to this number are contained.
        change: u64,
        /// The tickets.
        tickets: Vec<TicketNow>,
    },
    /// Versions in force.
    Prices {
        /// One a collection.
        collections: Vec<CollectionNow>,
    },
    /// The node's devices.
    Devices {
        /// Each as on its own topic.
        devices: Vec<Device>,
    },
    /// The paired lanes.
    Lanes {
        /// By id.
        lanes: Vec<LaneNow>,
    },
    /// There is no answer now.
    Refused {
        /// Why, for a person.
        #[schema(max_length = 512)]
        message: String,
        /// When to ask again, in milliseconds from now.
        retry_after_ms: u32,
    },
}

/// `lane/{lane}/reply`: one part of an answer. Parts may come in any order; the answer is whole when all are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reply {
    /// Version of the body.
    pub v: V1,
    /// As in the ask.
    #[schema(max_length = 64)]
    pub request_id: String,
    /// Names the start of the node that answers.
    pub boot: Uuid,
    /// When this was so.
    pub at: Moment,
    /// Number of this part, from 1.
    #[schema(minimum = 1)]
    pub part: u32,
    /// How many there are.
    #[schema(minimum = 1)]
    pub parts: u32,
    /// What it carries.
    pub content: Content,
}

impl Body for Reply {
    fn check(&self) -> Result<(), MessageError> {
        plain("request_id", &self.request_id, limits::LANE_REQUEST_ID_BYTES)?;
        match &self.content {
            Content::Tickets { tickets, .. } => tickets
                .iter()
                .try_for_each(|ticket| plain("note", ticket.note.as_deref().unwrap_or_default(), limits::NOTE_BYTES)),
            Content::Devices { devices } => devices.iter().try_for_each(Body::check),
            Content::Lanes { lanes } => {
                lanes.iter().try_for_each(|lane| plain("name", &lane.name, limits::NODE_NAME_BYTES))
            }
            Content::Refused { message, .. } => plain("message", message, limits::NOTE_BYTES),
            Content::Prices { .. } => Ok(()),
        }
    }
}

/// One thing of a list, weighed by its JSON.
pub trait Part: Serialize + Clone {}
impl Part for TicketNow {}
impl Part for LaneNow {}
impl Part for Device {}

/// Lists cut so that each fits a message beside the reply's own fields.
pub type Packed<T> = Vec<Vec<T>>;

/// Cuts a list into parts; an empty list is one empty part, so that "none" is said. One thing that fits no message
/// is left out and counted in the second value.
#[must_use]
pub fn pack<T: Part>(things: &[T]) -> (Packed<T>, usize) {
    let room = limits::LANE_MESSAGE_BYTES.saturating_sub(limits::LANE_REPLY_HEAD_BYTES);
    let (mut parts, mut current, mut used, mut left_out) = (Vec::new(), Vec::new(), 0_usize, 0_usize);
    for thing in things {
        // One more for the comma.
        let weight = serde_json::to_vec(thing).map_or(usize::MAX, |bytes| bytes.len().saturating_add(1));
        if weight > room {
            left_out = left_out.saturating_add(1);
            continue;
        }
        if used.saturating_add(weight) > room {
            parts.push(std::mem::take(&mut current));
            used = 0;
        }
        used = used.saturating_add(weight);
        current.push(thing.clone());
    }
    if !current.is_empty() || parts.is_empty() {
        parts.push(current);
    }
    (parts, left_out)
}
