//! What ingest answers and what the sales routes show. Pure: no SQL, no HTTP.

use protocol::id::{NodeId, Seq, ShopId, Term};
use protocol::ledger::Hash;
use protocol::session::ack::RangeSet;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::db::DbError;

/// What became of one batch. Everything in `acked` is durable at HQ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngestReport {
    /// Positions of this batch that HQ holds now (stored, known before, or kept as a fork).
    pub acked: RangeSet,
    /// Events stored for the first time.
    pub stored: u64,
    /// Events that came again with the same content and were ignored.
    pub duplicates: u64,
    /// Events that contradict a known one; kept apart, alarmed.
    pub forks: u64,
    /// Stored events of a known kind that could not be projected.
    pub flawed: u64,
    /// Events not taken because the cursor holds as many gaps as it may; the node sends them again later.
    pub deferred: u64,
}

impl IngestReport {
    /// Adds the report on a later part of the same batch.
    pub fn add(&mut self, later: &Self) {
        // A part has no more events than a batch, which has fewer than a set may have ranges.
        if let Err(error) = self.acked.extend(&later.acked) {
            tracing::warn!(%error, "events are stored and not acknowledged");
        }
        self.stored += later.stored;
        self.duplicates += later.duplicates;
        self.forks += later.forks;
        self.flawed += later.flawed;
        self.deferred += later.deferred;
    }
}

/// Why a batch was not taken. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The database refused or could not be reached.
    #[error(transparent)]
    Db(#[from] DbError),
    /// More events or bytes than one batch may carry.
    #[error("a batch of {events} events; at most {} are taken", protocol::limits::BATCH_EVENTS)]
    TooLarge {
        /// How many came.
        events: usize,
    },
    /// A position that no log has.
    #[error("position {0} is no position in a log")]
    BadSeq(u64),
    /// An event with a body larger than an event may be.
    #[error("event {seq} has {bytes} bytes; at most {} are taken", protocol::limits::EVENT_BYTES)]
    EventTooLarge {
        /// Its position.
        seq: u64,
        /// Its size.
        bytes: usize,
    },
    /// The cursor did not agree with the stored events and was set right; the batch may be sent again at once.
    #[error("the cursor of the log was wrong and has been set right; send the batch again")]
    CursorRepaired,
}

/// What HQ has of one log of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogCompleteness {
    /// The node.
    pub node: NodeId,
    /// Its term.
    pub term: Term,
    /// Events HQ holds.
    pub received: u64,
    /// The highest position HQ holds.
    pub last: Seq,
    /// Positions missing below the highest.
    pub gaps: u64,
    /// The first of them, as ranges of first and last (at most `limits::REPORTED_GAPS`).
    pub gap_ranges: Vec<(u64, u64)>,
    /// Events that came again and were ignored.
    pub resent: u64,
    /// Anything counted more than once, recomputed from the projections and roll-ups; must be 0.
    pub duplicates: u64,
    /// Events that contradicted a known one.
    pub forks: u64,
    /// Events kept but not counted because they could not be read.
    pub flawed: u64,
    /// How far the chain is verified.
    pub head_seq: Seq,
    /// The chain hash there (the genesis hash at 0).
    pub head_hash: Hash,
}

/// One ticket in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TicketRow {
    /// The node that closed it.
    pub node_id: Uuid,
    /// Its term.
    pub term: i64,
    /// Its position in the fiscal log.
    pub seq: i64,
    /// The shop.
    pub shop_id: Uuid,
    /// The ticket's own id.
    pub ticket_id: Uuid,
    /// The lane that closed it.
    pub lane_id: Uuid,
    /// sale or return.
    pub kind: &'static str,
    /// The shop's trading day.
    #[schema(value_type = String, example = "2010-12-01")]
    pub business_date: String,
    /// When it was closed (RFC 3339, UTC).
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String)]
    pub occurred_at: time::OffsetDateTime,
    /// Rung later from paper.
    pub late_entry: bool,
    /// A number on paper, or another reference of the shop.
    pub reference: Option<String>,
    /// ISO 4217.
    pub currency: String,
    /// Lines that count.
    pub lines: i32,
    /// What the customer paid before cash rounding, in minor units; negative on a return.
    pub total_minor: i64,
    /// The tax in it.
    pub tax_minor: i64,
    /// equal, differs or impossible: what HQ's own counting says of the lane's figures.
    pub check: &'static str,
    /// HQ's total where it differs.
    pub hq_total_minor: Option<i64>,
}

/// One page of tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketPage {
    /// Newest first.
    pub tickets: Vec<TicketRow>,
    /// Where the next page starts; none on the last.
    pub next: Option<String>,
}

/// A ticket whole, as its event says it, with what HQ adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TicketDetail {
    /// The ticket as in the list.
    #[serde(flatten)]
    pub row: TicketRow,
    /// Lines that count.
    pub items: Vec<TicketItem>,
    /// Lines taken back before the ticket was closed.
    pub voided: Vec<VoidedItem>,
    /// Who was signed in at the lane that closed it.
    pub cashier: Option<String>,
    /// What was approved on it.
    pub approvals: Vec<TicketApproval>,
    /// How it was paid.
    pub tenders: Vec<TicketTender>,
    /// Tax per rate.
    pub taxes: Vec<TicketTax>,
    /// Sum of the lines before discounts.
    pub gross_minor: i64,
    /// All discounts.
    pub discounts_minor: i64,
    /// After discounts, in the ticket's tax mode.
    pub net_minor: i64,
    /// What cash rounding added.
    pub rounding_minor: i64,
    /// Cash handed back.
    pub change_minor: i64,
    /// Whether prices contain the tax: inclusive or exclusive.
    pub tax_mode: &'static str,
    /// Chain hash of the event in hex, once the chain is verified up to it.
    pub chain_hash: Option<String>,
}

/// Something on a ticket that a second person approved with their PIN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TicketApproval {
    /// void_line, void_ticket, refund, discount, no_sale or late_entry.
    pub action: &'static str,
    /// The line it is about.
    pub line_no: Option<u16>,
    /// What it came to.
    pub amount_minor: Option<i64>,
    /// Who approved it, as they were called then.
    pub approver: String,
    /// Their id among the staff.
    pub approver_id: Uuid,
    /// Who asked for it.
    pub cashier: Option<String>,
    /// Why.
    pub reason: String,
    /// When (RFC 3339, UTC).
    pub at: String,
}

impl TicketApproval {
    /// What it was, for people.
    pub fn words(&self) -> &'static str {
        match self.action {
            "void_line" => "A line taken back",
            "void_ticket" => "The ticket given up",
            "refund" => "Money given back",
            "discount" => "A price reduced",
            "no_sale" => "The drawer opened",
            "late_entry" => "Rung later from paper",
            _ => "Something approved",
        }
    }
}

/// A line of a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TicketItem {
    /// Its number.
    pub line_no: u16,
    /// Product code; none on an open-price line.
    pub code: Option<String>,
    /// What the receipt says.
    pub description: String,
    /// How many, as a decimal; negative when goods come back.
    pub quantity: String,
    /// Price of one, as a decimal.
    pub unit_price: String,
    /// book, override or open.
    pub pricing: &'static str,
    /// The price book's price where a person set another.
    pub book_price: Option<String>,
    /// Price x quantity.
    pub gross_minor: i64,
    /// Line discount and share of the ticket discount.
    pub discount_minor: i64,
    /// Gross less discounts.
    pub net_minor: i64,
    /// Its share of the tax.
    pub tax_minor: i64,
    /// Tax rate in millionths.
    pub tax_rate_ppm: u32,
}

/// A line that was voided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct VoidedItem {
    /// Its number.
    pub line_no: u16,
    /// Product code.
    pub code: Option<String>,
    /// What it was.
    pub description: String,
    /// How many, as a decimal.
    pub quantity: String,
    /// Why, if a reason was given.
    pub reason: Option<String>,
}

/// A payment of a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TicketTender {
    /// cash or card_recorded.
    pub kind: &'static str,
    /// What was handed over, before change.
    pub amount_minor: i64,
    /// The slip's number or the like.
    pub reference: Option<String>,
}

/// The tax of one rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TicketTax {
    /// The rate in millionths.
    pub rate_ppm: u32,
    /// What it is taken of.
    pub base_minor: i64,
    /// The tax.
    pub tax_minor: i64,
}

/// How one fiscal log stands at HQ, by its cursor alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStanding {
    /// The node.
    pub node: NodeId,
    /// Its term.
    pub term: Term,
    /// The shop it stands in.
    pub shop: ShopId,
    /// Events HQ holds.
    pub received: u64,
    /// The highest position among them.
    pub last: u64,
    /// Events that came again with another content; must be 0.
    pub forks: u64,
    /// Events that could not be counted.
    pub flawed: u64,
    /// How far the chain is verified.
    pub head_seq: u64,
    /// Its hash there; none at 0.
    pub head_hash: Option<Hash>,
    /// When anything of it last came in.
    pub moved_at: time::OffsetDateTime,
}
