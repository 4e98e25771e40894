//! The parts of fiscal events that say who stood at the lane and who approved, and the events that came with them.
//! Frozen once released, like every body of an event.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{Occurrence, TicketClosedV1, VoidedLine};
use crate::id::{LaneId, StaffId, TicketId};
use crate::money::Amount;
use crate::quantity::Quantity;
use crate::staff::Action;
use crate::ticket::{Discount, Line, Terms, TicketKind};
use crate::timestamp::Timestamp;

/// Somebody of the shop, as they were called then: the record tells without the list of people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffMark {
    /// Their id.
    pub id: StaffId,
    /// What the till called them.
    pub name: String,
}

/// What was approved. New variants only at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approved {
    /// A line was taken back; it stands among the voided lines.
    VoidLine {
        /// The line.
        line_no: u16,
        /// What it came to.
        amount: Amount,
    },
    /// Part of a line was taken back.
    ReduceLine {
        /// The line.
        line_no: u16,
        /// How many it had.
        before: Quantity,
        /// What the part came to.
        amount: Amount,
    },
    /// A ticket was given up.
    VoidTicket {
        /// What it came to.
        amount: Amount,
    },
    /// Money was given back.
    Refund {
        /// How much.
        amount: Amount,
    },
    /// The drawer was opened without a sale.
    NoSale,
    /// A price was reduced.
    Discount {
        /// On one line; none: on the ticket.
        line_no: Option<u16>,
        /// By how many millionths.
        ppm: u32,
        /// By how much, then.
        amount: Amount,
    },
    /// A paper receipt was rung with its own time.
    LateEntry,
}

impl Approved {
    /// As the decision knows it.
    pub const fn action(self) -> Action {
        match self {
            Self::VoidLine { amount, .. } | Self::ReduceLine { amount, .. } => Action::VoidLine { amount },
            Self::VoidTicket { amount } => Action::VoidTicket { amount },
            Self::Refund { amount } => Action::Refund { amount },
            Self::NoSale => Action::NoSale,
            Self::Discount { ppm, amount, .. } => Action::Discount { ppm, amount },
            Self::LateEntry => Action::LateEntry,
        }
    }
}

/// An approval, given with a PIN at the lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// What.
    pub what: Approved,
    /// By whom.
    pub approver: StaffMark,
    /// For whom; none when nobody was signed in.
    pub cashier: Option<StaffMark>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A closed ticket with the people it went through. Version 1 with more behind it; one without people is still
/// written as version 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketClosedV2 {
    /// The ticket.
    pub closed: TicketClosedV1,
    /// Who was signed in at the lane that closed it.
    pub cashier: Option<StaffMark>,
    /// What was approved on it.
    pub approvals: Vec<Approval>,
}

impl Deref for TicketClosedV2 {
    type Target = TicketClosedV1;
    fn deref(&self) -> &TicketClosedV1 {
        &self.closed
    }
}

impl From<TicketClosedV1> for TicketClosedV2 {
    fn from(closed: TicketClosedV1) -> Self {
        Self { closed, cashier: None, approvals: Vec::new() }
    }
}

/// The drawer was opened without a sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoSaleV1 {
    /// The lane.
    pub lane: LaneId,
    /// Who was signed in.
    pub cashier: Option<StaffMark>,
    /// Who approved it, where that was needed.
    pub approval: Option<Approval>,
    /// When and on which trading day.
    pub occurred: Occurrence,
    /// Why.
    pub reason: String,
    /// The key under which it was asked for.
    pub idempotency_key: String,
    /// BLAKE3 of the request, without its PIN.
    pub request_hash: [u8; 32],
    /// BLAKE3 of the answer.
    pub reply_hash: [u8; 32],
}

/// A ticket was given up as a whole, in a shop that keeps its people: what stood on it, who did it, who approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketVoidedV1 {
    /// The ticket.
    pub ticket: TicketId,
    /// Sale or return.
    pub kind: TicketKind,
    /// The lane that gave it up.
    pub lane: LaneId,
    /// Who was signed in.
    pub cashier: Option<StaffMark>,
    /// What was approved on it, its end included.
    pub approvals: Vec<Approval>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When and on which trading day it was given up.
    pub occurred: Occurrence,
    /// A reference of the shop.
    pub reference: Option<String>,
    /// The rules it was counted by.
    pub terms: Terms,
    /// The lines that stood on it.
    pub lines: Vec<Line>,
    /// Lines that were voided before.
    pub voided: Vec<VoidedLine>,
    /// Discount on the whole.
    pub ticket_discount: Option<Discount>,
    /// Why.
    pub reason: Option<String>,
    /// How many changes it had gone through.
    pub revision: u32,
    /// The key under which it was given up.
    pub idempotency_key: String,
    /// BLAKE3 of the request, without its PIN.
    pub request_hash: [u8; 32],
    /// BLAKE3 of the answer.
    pub reply_hash: [u8; 32],
}
