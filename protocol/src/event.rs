//! Events: what a node writes into its logs and HQ counts. Each body is one frozen struct per (kind, version):
//! postcard has no field names, so a released struct is never changed, a new version is added beside it.
//! An unknown kind is kept, acknowledged and projected later; it never blocks.

mod people;

pub use people::{Approval, Approved, NoSaleV1, StaffMark, TicketClosedV2, TicketVoidedV1};

use serde::{Deserialize, Serialize};

use crate::business_day::BusinessDate;
use crate::id::{LaneId, PersonId, ShiftId, TicketId};
use crate::limits;
use crate::money::Amount;
use crate::quantity::Quantity;
use crate::ticket::{Discount, Line, Settlement, Tender, Terms, TicketError, TicketKind, Totals, fold, settle};
use crate::timestamp::Timestamp;

/// The kinds of events there are. Numbers are wire and disk format and are never used again.
/// 1-99 fiscal, 100-199 work, 200-299 telemetry.
pub mod kind {
    /// A ticket was closed: [`super::TicketClosedV1`], [`super::TicketClosedV2`].
    pub const TICKET_CLOSED: u16 = 1;
    /// Stock was written off: [`super::StockWrittenOffV1`].
    pub const STOCK_WRITTEN_OFF: u16 = 2;
    /// The drawer was opened without a sale: [`super::NoSaleV1`].
    pub const NO_SALE: u16 = 3;
    /// A ticket was given up: [`super::TicketVoidedV1`].
    pub const TICKET_VOIDED: u16 = 4;
}

/// An event as it is stored and sent: its shape is named, its body is bytes until someone knows the shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawEvent {
    /// What happened ([`kind`]).
    pub kind: u16,
    /// Version of the body's struct.
    pub version: u8,
    /// The struct in postcard.
    pub body: Vec<u8>,
}

/// Why an event cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The body does not hold the struct that kind and version name.
    #[error("the body of event kind {kind} version {version} cannot be decoded")]
    Malformed {
        /// The kind.
        kind: u16,
        /// The version.
        version: u8,
    },
    /// The body is over [`limits::EVENT_BYTES`].
    #[error("an event of {bytes} bytes is larger than an event may be")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

/// Where and when something happened in the shop. Part of every fiscal event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// When it happened, by the node's clock or, for a late entry, by the paper.
    pub at: Timestamp,
    /// When the node wrote it.
    pub recorded_at: Timestamp,
    /// Written later than it happened, from paper.
    pub late_entry: bool,
    /// The shop's trading day.
    pub business_date: BusinessDate,
    /// IANA zone the day was told by.
    pub zone: String,
    /// Start of the trading day, minutes after midnight.
    pub day_starts_minutes: u16,
    /// Version of the day rule.
    pub day_rule: u8,
}

/// A line that was rung and taken back before the ticket was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoidedLine {
    /// The line as it stood.
    pub line: Line,
    /// When it was voided.
    pub at: Timestamp,
    /// Why, if a reason was given.
    pub reason: Option<String>,
}

/// A closed ticket: a sale or a return, whole. One append; the receipt follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketClosedV1 {
    /// The ticket.
    pub ticket: TicketId,
    /// Sale or return.
    pub kind: TicketKind,
    /// The lane that closed it.
    pub lane: LaneId,
    /// Who rang it, once people are known to the node.
    pub cashier: Option<PersonId>,
    /// The shift it belongs to, once shifts are kept.
    pub shift: Option<ShiftId>,
    /// When the ticket was opened.
    pub opened_at: Timestamp,
    /// When and on which trading day it counts.
    pub occurred: Occurrence,
    /// The number on a paper receipt that this ticket was rung from, or another reference of the shop.
    pub reference: Option<String>,
    /// The rules it was counted by.
    pub terms: Terms,
    /// Lines that count.
    pub lines: Vec<Line>,
    /// Lines that were voided.
    pub voided: Vec<VoidedLine>,
    /// Discount on the whole.
    pub ticket_discount: Option<Discount>,
    /// What it came to at the lane.
    pub totals: Totals,
    /// How it was paid.
    pub tenders: Vec<Tender>,
    /// Rounding and change.
    pub settlement: Settlement,
    /// The key under which the terminal closed it; a retry gets the same answer.
    pub idempotency_key: String,
    /// BLAKE3 of the request that closed it: another request under the same key is refused.
    pub request_hash: [u8; 32],
    /// BLAKE3 of the answer the terminal was given.
    pub reply_hash: [u8; 32],
}

impl TicketClosedV1 {
    /// Counts the ticket again from its lines and tenders, with the arithmetic it was rung with. HQ compares the
    /// result with what the lane counted; the lane's figures stand, money changed hands by them.
    ///
    /// # Errors
    /// What cannot be counted, or an arithmetic of a newer build; see [`TicketError`].
    pub fn recount(&self) -> Result<(Totals, Settlement), TicketError> {
        let totals = fold(&self.terms, self.kind, &self.lines, self.ticket_discount)?;
        let settlement = settle(&self.terms, totals.total, &self.tenders)?;
        Ok((totals, settlement))
    }
}

/// One article written off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteOffLine {
    /// Product code.
    pub code: String,
    /// What it is.
    pub description: String,
    /// How many leave the stock (positive).
    pub quantity: Quantity,
    /// Their value by the price book, for the record.
    pub value: Option<Amount>,
}

/// Stock that left without a sale: broken, expired, lost. Not a ticket; no money moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockWrittenOffV1 {
    /// The lane it was recorded on.
    pub lane: LaneId,
    /// Who recorded it.
    pub person: Option<PersonId>,
    /// When and on which trading day it counts.
    pub occurred: Occurrence,
    /// Why.
    pub reason: String,
    /// A reference of the shop.
    pub reference: Option<String>,
    /// What.
    pub lines: Vec<WriteOffLine>,
    /// The key under which it was recorded.
    pub idempotency_key: String,
    /// BLAKE3 of the request.
    pub request_hash: [u8; 32],
    /// BLAKE3 of the answer.
    pub reply_hash: [u8; 32],
}

/// A fiscal event whose shape this build knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FiscalEvent {
    /// A ticket was closed.
    TicketClosed(Box<TicketClosedV2>),
    /// Stock was written off.
    StockWrittenOff(Box<StockWrittenOffV1>),
    /// The drawer was opened without a sale.
    NoSale(Box<NoSaleV1>),
    /// A ticket was given up.
    TicketVoided(Box<TicketVoidedV1>),
}

impl FiscalEvent {
    /// A ticket that was closed, with or without people.
    pub fn closed(body: impl Into<TicketClosedV2>) -> Self {
        Self::TicketClosed(Box::new(body.into()))
    }

    /// When and on which trading day it counts.
    pub fn occurred(&self) -> &Occurrence {
        match self {
            Self::TicketClosed(body) => &body.occurred,
            Self::StockWrittenOff(body) => &body.occurred,
            Self::NoSale(body) => &body.occurred,
            Self::TicketVoided(body) => &body.occurred,
        }
    }

    /// Who asked for it, under which key, and the hash of the request.
    pub fn asked(&self) -> (LaneId, &str, [u8; 32]) {
        match self {
            Self::TicketClosed(body) => (body.lane, &body.idempotency_key, body.request_hash),
            Self::StockWrittenOff(body) => (body.lane, &body.idempotency_key, body.request_hash),
            Self::NoSale(body) => (body.lane, &body.idempotency_key, body.request_hash),
            Self::TicketVoided(body) => (body.lane, &body.idempotency_key, body.request_hash),
        }
    }

    /// Encodes for the log.
    ///
    /// # Errors
    /// [`EventError::TooLarge`] beyond [`limits::EVENT_BYTES`].
    pub fn encode(&self) -> Result<RawEvent, EventError> {
        match self {
            // What an older head office can count is written as it knows it.
            Self::TicketClosed(body) if body.cashier.is_none() && body.approvals.is_empty() => {
                RawEvent::encode(kind::TICKET_CLOSED, 1, &body.closed)
            }
            Self::TicketClosed(body) => RawEvent::encode(kind::TICKET_CLOSED, 2, body.as_ref()),
            Self::StockWrittenOff(body) => RawEvent::encode(kind::STOCK_WRITTEN_OFF, 1, body.as_ref()),
            Self::NoSale(body) => RawEvent::encode(kind::NO_SALE, 1, body.as_ref()),
            Self::TicketVoided(body) => RawEvent::encode(kind::TICKET_VOIDED, 1, body.as_ref()),
        }
    }

    /// Decodes what this build knows; `Ok(None)` for a kind or version of a newer one.
    ///
    /// # Errors
    /// [`EventError::Malformed`] when the body does not hold what it is said to hold.
    pub fn decode(raw: &RawEvent) -> Result<Option<Self>, EventError> {
        Ok(match (raw.kind, raw.version) {
            (kind::TICKET_CLOSED, 1) => Some(Self::closed(raw.decode::<TicketClosedV1>()?)),
            (kind::TICKET_CLOSED, 2) => Some(Self::TicketClosed(Box::new(raw.decode()?))),
            (kind::STOCK_WRITTEN_OFF, 1) => Some(Self::StockWrittenOff(Box::new(raw.decode()?))),
            (kind::NO_SALE, 1) => Some(Self::NoSale(Box::new(raw.decode()?))),
            (kind::TICKET_VOIDED, 1) => Some(Self::TicketVoided(Box::new(raw.decode()?))),
            _ => None,
        })
    }
}

impl RawEvent {
    /// Encodes a body under its kind and version.
    ///
    /// # Errors
    /// [`EventError::TooLarge`] beyond [`limits::EVENT_BYTES`].
    pub fn encode<T: Serialize>(kind: u16, version: u8, body: &T) -> Result<Self, EventError> {
        let body = postcard::to_stdvec(body).map_err(|_| EventError::Malformed { kind, version })?;
        if body.len() > limits::EVENT_BYTES {
            return Err(EventError::TooLarge { bytes: body.len() });
        }
        Ok(Self { kind, version, body })
    }

    /// Decodes the body; every byte must be used.
    ///
    /// # Errors
    /// [`EventError::Malformed`] when it does not hold a `T`.
    pub fn decode<T: for<'de> Deserialize<'de>>(&self) -> Result<T, EventError> {
        let malformed = || EventError::Malformed { kind: self.kind, version: self.version };
        if self.body.len() > limits::EVENT_BYTES {
            return Err(EventError::TooLarge { bytes: self.body.len() });
        }
        let (value, rest) = postcard::take_from_bytes(&self.body).map_err(|_| malformed())?;
        if rest.is_empty() { Ok(value) } else { Err(malformed()) }
    }
}
