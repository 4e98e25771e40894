//! What the lanes write into the work log: enough to have every basket, pairing and answer again after a
//! restart. Stays in the shop. Each body is one frozen struct per (kind, version).

use protocol::event::{EventError, RawEvent};
use protocol::id::{LaneId, TicketId};
use protocol::limits;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

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

/// A work event whose shape this build knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WorkEvent {
    /// An open ticket changed.
    Ticket(Box<TicketChangedV1>),
    /// A pairing changed.
    Pairing(PairingOp),
    /// What follows, up to the end of the carrying, is everything that is still alive.
    CarryBegin,
    /// A ticket that is open.
    TicketCarried(Box<OpenTicket>),
    /// All pairings.
    PairingsCarried(Pairings),
    /// Everything before the beginning of the carrying is history.
    CarryEnd,
}

impl WorkEvent {
    pub(super) fn encode(&self) -> Result<RawEvent, EventError> {
        match self {
            Self::Ticket(body) => RawEvent::encode(kind::TICKET_CHANGED, 1, body.as_ref()),
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
            (kind::TICKET_CHANGED, 1) => Some(Self::Ticket(Box::new(raw.decode()?))),
            (kind::PAIRING_CHANGED, 1) => Some(Self::Pairing(raw.decode()?)),
            (kind::CARRY_BEGIN, 1) => Some(Self::CarryBegin),
            (kind::TICKET_CARRIED, 1) => Some(Self::TicketCarried(Box::new(raw.decode()?))),
            (kind::PAIRINGS_CARRIED, 1) => Some(Self::PairingsCarried(raw.decode()?)),
            (kind::CARRY_END, 1) => Some(Self::CarryEnd),
            _ => None,
        })
    }
}
