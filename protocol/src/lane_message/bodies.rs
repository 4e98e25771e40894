//! The bodies that stand alone: presence, lane state, ask, and what changed. Decides nothing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Body, MessageError, Moment, V1, plain};
use crate::collection::{Collection, Version};
use crate::id::{LaneId, TicketId};
use crate::limits;

/// Whether somebody can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Connected.
    Online,
    /// Gone: said by itself, or by the broker in its name.
    Offline,
}

/// `lane/{lane}/presence` and `node/{node}/presence`, retained. Send the offline form as last will.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Presence {
    /// Version of the body.
    pub v: V1,
    /// Whether it can be reached.
    pub state: Reach,
    /// What people call it.
    #[schema(max_length = 64)]
    pub name: String,
    /// When the connection began that this is about.
    pub since: Moment,
    /// Version of its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub software: Option<String>,
    /// Of the node only: names this start of the node. Another one than before: ask for everything again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub boot: Option<Uuid>,
    /// Of the node only: number of the last ticket message so far. A listener that has seen less missed some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<u64>,
}

impl Body for Presence {
    fn check(&self) -> Result<(), MessageError> {
        plain("name", &self.name, limits::NODE_NAME_BYTES)?;
        plain("software", self.software.as_deref().unwrap_or_default(), limits::NODE_NAME_BYTES)
    }
}

/// What a lane is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Nobody is served.
    Idle,
    /// Goods are rung.
    Ringing,
    /// The customer pays.
    Paying,
    /// Locked or away.
    Locked,
    /// Something that this version has no word for.
    #[serde(other)]
    Other,
}

/// `lane/{lane}/state`: what a lane is doing, said by the lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LaneState {
    /// Version of the body.
    pub v: V1,
    /// What it is doing.
    pub state: Activity,
    /// The ticket it has in hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub ticket_id: Option<TicketId>,
}

impl Body for LaneState {
    fn check(&self) -> Result<(), MessageError> {
        Ok(())
    }
}

/// What a lane asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Open and parked tickets.
    Tickets,
    /// Versions of catalogue and settings.
    Prices,
    /// States of the devices.
    Devices,
    /// Which lanes there are, and which are online.
    Lanes,
    /// All of it.
    All,
}

/// `lane/{lane}/ask`: a lane asks the node for the whole picture; the answer comes on `lane/{lane}/reply`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ask {
    /// Version of the body.
    pub v: V1,
    /// What it wants.
    pub what: What,
    /// Comes back in the reply.
    #[schema(max_length = 64)]
    pub request_id: String,
}

impl Body for Ask {
    fn check(&self) -> Result<(), MessageError> {
        plain("request_id", &self.request_id, limits::LANE_REQUEST_ID_BYTES)
    }
}

/// What became of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketStanding {
    /// A lane holds it.
    Open,
    /// Put aside for any lane.
    Parked,
    /// Given up; no more messages come.
    Voided,
    /// Paid; no more messages come.
    Closed,
    /// Something that this version has no word for.
    #[serde(other)]
    Other,
}

/// `ticket/{ticket}/changed`: a ticket was opened, changed, parked, recalled, voided or closed. What stands on it is
/// asked from the terminal API, whose word it is. Messages of different topics may overtake each other: the larger
/// `revision` of a ticket holds, and `closed` and `voided` are final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ticket {
    /// Version of the body.
    pub v: V1,
    /// The ticket.
    #[schema(value_type = Uuid)]
    pub ticket_id: TicketId,
    /// What it is now.
    pub state: TicketStanding,
    /// The lane that holds it, or did last.
    #[schema(value_type = Uuid)]
    pub lane_id: LaneId,
    /// Its revision after the change.
    pub revision: u32,
    /// When this was said.
    pub at: Moment,
    /// Names the start of the node that `change` counts from.
    pub boot: Uuid,
    /// Counts the ticket messages: 1, 2, 3, ... A number left out is a message that was lost; ask.
    pub change: u64,
}

impl Body for Ticket {
    fn check(&self) -> Result<(), MessageError> {
        Ok(())
    }
}

/// `price/{collection}/changed`: a collection of head office took force. Tickets keep the prices they were rung at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Price {
    /// Version of the body.
    pub v: V1,
    /// `catalogue`, `shop` or `staff`.
    #[schema(max_length = 32)]
    pub collection: String,
    /// The version in force; it only rises.
    #[schema(value_type = u64)]
    pub version: Version,
    /// The products that changed. Left out: many, or all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 50)]
    pub codes: Option<Vec<String>>,
    /// When this was said.
    pub at: Moment,
}

impl Price {
    /// A collection at a version. `codes` are left out when they are more than a message names.
    #[must_use]
    pub fn new(collection: Collection, version: Version, codes: Option<Vec<String>>, at: Moment) -> Self {
        let codes = codes.filter(|codes| codes.len() <= limits::LANE_PRICE_CODES);
        Self { v: V1, collection: collection.name().to_owned(), version, codes, at }
    }
}

impl Body for Price {
    fn check(&self) -> Result<(), MessageError> {
        plain("collection", &self.collection, 32)?;
        let codes = self.codes.as_deref().unwrap_or_default();
        if codes.len() > limits::LANE_PRICE_CODES || codes.iter().any(|code| code.len() > limits::CODE_BYTES) {
            return Err(MessageError::Field("codes"));
        }
        Ok(())
    }
}

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Prints receipts.
    Printer,
    /// Something that this version has no word for.
    #[serde(other)]
    Other,
}

/// How a device does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceCondition {
    /// It was not asked yet.
    Unknown,
    /// It was well when it was last asked.
    Ready,
    /// It works, and will soon want a hand.
    Warning,
    /// It waits for a person.
    Attention,
    /// It cannot be reached or does not answer.
    Offline,
    /// Something that this version has no word for.
    #[serde(other)]
    Other,
}

/// `device/{device}/state`, retained: how a device of the node does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// Version of the body.
    pub v: V1,
    /// Its name in the node's configuration.
    #[schema(max_length = 64)]
    pub device: String,
    /// What it is.
    pub kind: DeviceKind,
    /// How it does.
    pub state: DeviceCondition,
    /// Since when.
    pub since: Moment,
    /// In words for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 512)]
    pub detail: Option<String>,
}

impl Body for Device {
    fn check(&self) -> Result<(), MessageError> {
        plain("device", &self.device, limits::DEVICE_NAME_BYTES)?;
        plain("detail", self.detail.as_deref().unwrap_or_default(), limits::NOTE_BYTES)
    }
}
