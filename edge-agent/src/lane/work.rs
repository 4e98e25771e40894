//! What the lanes write into the work log: enough to have every basket, pairing and answer again after a
//! restart. Stays in the shop. Each body is one frozen struct per (kind, version).

use std::ops::Deref;

use protocol::event::{Approval, EventError, RawEvent};
use protocol::id::{LaneId, TicketId};
use protocol::limits;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::attendance::{Attendance, StaffOp};
use crate::core::lane::{Answer, Op, OpenTicket};
use crate::core::pairing::{PairingOp, Pairings};

/// Kinds of work events (100-199). Numbers are disk format and are never used again.
mod kind {
    pub(super) const TICKET_CHANGED: u16 = 100;
    pub(super) const PAIRING_CHANGED: u16 = 101;
    pub(super) const CARRY_BEGIN: u16 = 102;
    pub(super) const TICKET_CARRIED: u16 = 103;
    pub(super) const PAIRINGS_CARRIED: u16 = 104;
    pub(super) const CARRY_END: u16 = 105;
    pub(super) const STAFF_CHANGED: u16 = 106;
    pub(super) const ATTENDANCE_CARRIED: u16 = 107;
    pub(super) const APPROVALS_CARRIED: u16 = 108;
}

/// Under which key a change was asked for and what was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    /// Who asked.
    pub(super) lane: LaneId,
    /// The idempotency key.
    pub(super) key: String,
    /// BLAKE3 of the request.
    pub(super) request_hash: [u8; 32],
    /// The status answered.
    pub(super) status: u16,
    /// The answer, unless it is too large to keep.
    pub(super) reply: Option<Vec<u8>>,
}

impl Asked {
    pub(super) fn new(lane: LaneId, key: String, request_hash: [u8; 32], answer: &Answer) -> Self {
        let small = answer.body.len() <= limits::KEPT_ANSWER_BYTES;
        Self { lane, key, request_hash, status: answer.status, reply: small.then(|| answer.body.clone()) }
    }
}

/// An open ticket changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TicketChangedV1 {
    /// The ticket.
    pub(super) ticket: TicketId,
    /// When.
    pub(super) at: Timestamp,
    /// How.
    pub(super) op: Op,
    /// Who asked; nobody for what follows from a fiscal record.
    pub(super) asked: Option<Asked>,
}

/// The same with what was approved for it. Written as version 1 when that is nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TicketChangedV2 {
    /// The change.
    pub(super) changed: TicketChangedV1,
    /// What a second person approved.
    pub(super) approvals: Vec<Approval>,
}

impl Deref for TicketChangedV2 {
    type Target = TicketChangedV1;
    fn deref(&self) -> &TicketChangedV1 {
        &self.changed
    }
}

impl From<TicketChangedV1> for TicketChangedV2 {
    fn from(changed: TicketChangedV1) -> Self {
        Self { changed, approvals: Vec::new() }
    }
}

/// What was approved on an open ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ApprovalsCarriedV1 {
    /// The ticket.
    pub(super) ticket: TicketId,
    /// All of it.
    pub(super) approvals: Vec<Approval>,
}

/// A work event whose shape this build knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WorkEvent {
    /// An open ticket changed.
    Ticket(Box<TicketChangedV2>),
    /// A pairing changed.
    Pairing(PairingOp),
    /// What follows, up to the end of the carrying, is everything that is still alive.
    CarryBegin,
    /// A ticket that is open.
    TicketCarried(Box<OpenTicket>),
    /// All pairings.
    PairingsCarried(Pairings),
    /// Somebody signed in or out, or a PIN was wrong.
    Staff(StaffOp),
    /// Who is signed in, and which PINs were wrong.
    AttendanceCarried(Attendance),
    /// What was approved on a ticket that is open.
    ApprovalsCarried(Box<ApprovalsCarriedV1>),
    /// Everything before the beginning of the carrying is history.
    CarryEnd,
}

impl WorkEvent {
    pub(super) fn encode(&self) -> Result<RawEvent, EventError> {
        match self {
            Self::Ticket(body) if body.approvals.is_empty() => RawEvent::encode(kind::TICKET_CHANGED, 1, &body.changed),
            Self::Ticket(body) => RawEvent::encode(kind::TICKET_CHANGED, 2, body.as_ref()),
            Self::Staff(body) => RawEvent::encode(kind::STAFF_CHANGED, 1, body),
            Self::AttendanceCarried(body) => RawEvent::encode(kind::ATTENDANCE_CARRIED, 1, body),
            Self::ApprovalsCarried(body) => RawEvent::encode(kind::APPROVALS_CARRIED, 1, body.as_ref()),
            Self::Pairing(body) => RawEvent::encode(kind::PAIRING_CHANGED, 1, body),
            Self::CarryBegin => RawEvent::encode(kind::CARRY_BEGIN, 1, &()),
            Self::TicketCarried(body) => RawEvent::encode(kind::TICKET_CARRIED, 1, body.as_ref()),
            Self::PairingsCarried(body) => RawEvent::encode(kind::PAIRINGS_CARRIED, 1, body),
            Self::CarryEnd => RawEvent::encode(kind::CARRY_END, 1, &()),
        }
    }

    /// `Ok(None)` for a kind or version of another build or another room.
    pub(super) fn decode(raw: &RawEvent) -> Result<Option<Self>, EventError> {
        Ok(match (raw.kind, raw.version) {
            (kind::TICKET_CHANGED, 1) => Some(Self::Ticket(Box::new(raw.decode::<TicketChangedV1>()?.into()))),
            (kind::TICKET_CHANGED, 2) => Some(Self::Ticket(Box::new(raw.decode()?))),
            (kind::STAFF_CHANGED, 1) => Some(Self::Staff(raw.decode()?)),
            (kind::ATTENDANCE_CARRIED, 1) => Some(Self::AttendanceCarried(raw.decode()?)),
            (kind::APPROVALS_CARRIED, 1) => Some(Self::ApprovalsCarried(Box::new(raw.decode()?))),
            (kind::PAIRING_CHANGED, 1) => Some(Self::Pairing(raw.decode()?)),
            (kind::CARRY_BEGIN, 1) => Some(Self::CarryBegin),
            (kind::TICKET_CARRIED, 1) => Some(Self::TicketCarried(Box::new(raw.decode()?))),
            (kind::PAIRINGS_CARRIED, 1) => Some(Self::PairingsCarried(raw.decode()?)),
            (kind::CARRY_END, 1) => Some(Self::CarryEnd),
            _ => None,
        })
    }
}
