//! Receipts as a terminal reads them (JSON). What is not on the event is not in a receipt, so that it can be
//! rendered again from the record alone, byte for byte.

use protocol::business_day::BusinessDate;
use protocol::event::{
    Approval, Approved, FiscalEvent, NoSaleV1, Occurrence, RawEvent, StaffMark, StockWrittenOffV1, TicketClosedV2,
    TicketVoidedV1,
};
use protocol::id::{LaneId, NodeId, Seq, StaffId, Term, TicketId};
use protocol::money::Currency;
use protocol::quantity::Quantity;
use protocol::receipt::Fingerprint;
use protocol::ticket::TicketKind;
use serde::Serialize;
use utoipa::ToSchema;

use super::command::Answer;
use super::ticket::{LateEntry, OpenTicket};
use super::view::{Data, DiscountView, LineView, SettlementView, TaxView, TenderView, TicketView, TotalsView, json};

/// The name of a record with its fingerprint.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecordName {
    /// The node that wrote it.
    #[schema(value_type = String)]
    pub node_id: NodeId,
    /// The term it was written under.
    #[schema(value_type = u32)]
    pub term: Term,
    /// Its position in the fiscal log.
    #[schema(value_type = u64)]
    pub seq: Seq,
    /// The first eight bytes, in hex, of a BLAKE3 over its name and its body: what a receipt shows, so that
    /// paper and record can be told to belong together.
    pub hash: String,
}

impl RecordName {
    /// Names a record.
    pub fn new(node_id: NodeId, term: Term, seq: Seq, event: &RawEvent) -> Self {
        let hash = Fingerprint::of(node_id, term, seq, event).to_string();
        Self { node_id, term, seq, hash }
    }
}

/// When something counts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OccurredView {
    /// The trading day.
    #[schema(value_type = String)]
    pub business_date: BusinessDate,
    /// When it happened, UTC: now, or the paper's time.
    pub at: String,
    /// When the node wrote it, UTC.
    pub closed_at: String,
    /// Whether it was rung from paper.
    pub late_entry: bool,
}

impl From<&Occurrence> for OccurredView {
    fn from(occurred: &Occurrence) -> Self {
        Self {
            business_date: occurred.business_date,
            at: occurred.at.to_string(),
            closed_at: occurred.recorded_at.to_string(),
            late_entry: occurred.late_entry,
        }
    }
}

/// A receipt without the name that only the log can give it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReceiptBody {
    /// The ticket.
    #[schema(value_type = String)]
    pub ticket_id: TicketId,
    /// `sale` or `return`.
    #[schema(value_type = String)]
    pub kind: TicketKind,
    /// The lane that closed it.
    #[schema(value_type = String)]
    pub lane_id: LaneId,
    /// A reference of the shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When it counts.
    #[serde(flatten)]
    pub occurred: OccurredView,
    /// The currency of its amounts.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// The lines that count.
    pub lines: Vec<LineView>,
    /// Discount on the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_discount: Option<DiscountView>,
    /// What it came to.
    pub totals: TotalsView,
    /// The tax per rate.
    pub taxes: Vec<TaxView>,
    /// How it was paid.
    pub tenders: Vec<TenderView>,
    /// Rounding and change.
    pub settlement: SettlementView,
    /// Who was signed in at the lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cashier: Option<StaffView>,
    /// What a second person approved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalView>,
}

/// Somebody of the shop.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StaffView {
    /// Their id.
    #[schema(value_type = String)]
    pub staff_id: StaffId,
    /// What the till calls them.
    pub name: String,
}

impl From<&StaffMark> for StaffView {
    fn from(mark: &StaffMark) -> Self {
        Self { staff_id: mark.id, name: mark.name.clone() }
    }
}

/// Something that a second person approved.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApprovalView {
    /// `void_line`, `void_ticket`, `refund`, `no_sale`, `discount` or `late_entry`.
    pub action: &'static str,
    /// The line it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_no: Option<u16>,
    /// Who approved it.
    pub approver: StaffView,
    /// Why.
    pub reason: String,
    /// When, UTC.
    pub at: String,
}

impl From<&Approval> for ApprovalView {
    fn from(given: &Approval) -> Self {
        let line_no = match given.what {
            Approved::VoidLine { line_no, .. } | Approved::ReduceLine { line_no, .. } => Some(line_no),
            Approved::Discount { line_no, .. } => line_no,
            Approved::VoidTicket { .. } | Approved::Refund { .. } | Approved::NoSale | Approved::LateEntry => None,
        };
        Self {
            action: given.what.action().name(),
            line_no,
            approver: StaffView::from(&given.approver),
            reason: given.reason.clone(),
            at: given.at.to_string(),
        }
    }
}

impl ReceiptBody {
    /// Renders an event.
    pub fn of(event: &TicketClosedV2) -> Self {
        let counted = event.lines.iter().zip(&event.totals.lines);
        let taxes = event.totals.taxes.iter();
        Self {
            ticket_id: event.ticket,
            kind: event.kind,
            lane_id: event.lane,
            reference: event.reference.clone(),
            occurred: OccurredView::from(&event.occurred),
            currency: event.terms.currency,
            lines: counted.map(|(line, counted)| LineView::new(line, Some(counted))).collect(),
            ticket_discount: event.ticket_discount.map(DiscountView::from),
            totals: TotalsView::settled(&event.totals),
            taxes: taxes
                .map(|tax| TaxView { rate_ppm: tax.rate, base_minor: tax.base.minor(), tax_minor: tax.tax.minor() })
                .collect(),
            tenders: event.tenders.iter().map(|tender| TenderView::new(None, tender)).collect(),
            settlement: SettlementView::from(event.settlement),
            cashier: event.cashier.as_ref().map(StaffView::from),
            approvals: event.approvals.iter().map(ApprovalView::from).collect(),
        }
    }

    /// BLAKE3 of the rendering: the record keeps it, so that a later build which renders otherwise is noticed.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&json(self)).as_bytes()
    }
}

/// A receipt.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReceiptView {
    /// Its name.
    #[serde(flatten)]
    pub name: RecordName,
    /// What it says.
    #[serde(flatten)]
    pub body: ReceiptBody,
}

/// The answer to a close.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReceiptAnswer {
    /// The receipt.
    pub receipt: ReceiptView,
}

/// One article of a write-off.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WriteOffLineView {
    /// Product code.
    pub code: String,
    /// What it is.
    pub description: String,
    /// How many left the stock.
    #[schema(value_type = String)]
    pub quantity: Quantity,
    /// Their value by the price book, when it knows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_minor: Option<i64>,
}

/// A write-off without the name that only the log can give it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WriteOffBody {
    /// The lane it was recorded on.
    #[schema(value_type = String)]
    pub lane_id: LaneId,
    /// Why.
    pub reason: String,
    /// A reference of the shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When it counts.
    #[serde(flatten)]
    pub occurred: OccurredView,
    /// What.
    pub lines: Vec<WriteOffLineView>,
}

impl WriteOffBody {
    /// Renders an event.
    pub fn of(event: &StockWrittenOffV1) -> Self {
        let lines = event.lines.iter().map(|line| WriteOffLineView {
            code: line.code.clone(),
            description: line.description.clone(),
            quantity: line.quantity,
            value_minor: line.value.map(protocol::money::Amount::minor),
        });
        Self {
            lane_id: event.lane,
            reason: event.reason.clone(),
            reference: event.reference.clone(),
            occurred: OccurredView::from(&event.occurred),
            lines: lines.collect(),
        }
    }

    /// BLAKE3 of the rendering.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&json(self)).as_bytes()
    }
}

/// A write-off.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WriteOffView {
    /// Its name.
    #[serde(flatten)]
    pub name: RecordName,
    /// What it says.
    #[serde(flatten)]
    pub body: WriteOffBody,
}

/// An opened drawer without the name that only the log can give it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NoSaleBody {
    /// The lane.
    #[schema(value_type = String)]
    pub lane_id: LaneId,
    /// Why.
    pub reason: String,
    /// When it counts.
    #[serde(flatten)]
    pub occurred: OccurredView,
    /// Who was signed in at the lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cashier: Option<StaffView>,
    /// Who approved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalView>,
}

impl NoSaleBody {
    /// Renders an event.
    pub fn of(event: &NoSaleV1) -> Self {
        Self {
            lane_id: event.lane,
            reason: event.reason.clone(),
            occurred: OccurredView::from(&event.occurred),
            cashier: event.cashier.as_ref().map(StaffView::from),
            approval: event.approval.as_ref().map(ApprovalView::from),
        }
    }

    /// BLAKE3 of the rendering.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&json(self)).as_bytes()
    }
}

/// An opened drawer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NoSaleView {
    /// Its name.
    #[serde(flatten)]
    pub name: RecordName,
    /// What it says.
    #[serde(flatten)]
    pub body: NoSaleBody,
}

/// The ticket of an event that gave it up, as a lane is shown it.
fn voided_ticket(event: &TicketVoidedV1) -> Option<TicketView> {
    let late = event.occurred.late_entry;
    let late = late.then_some(LateEntry { at: event.occurred.at, business_date: event.occurred.business_date });
    let ticket = OpenTicket {
        id: event.ticket,
        kind: event.kind,
        lane: event.lane,
        shift: None,
        opened_at: event.opened_at,
        late,
        reference: event.reference.clone(),
        terms: event.terms,
        lines: event.lines.clone(),
        voided: event.voided.clone(),
        next_line: 1,
        discount: event.ticket_discount,
        tenders: Vec::new(),
        next_tender: 1,
        parked: None,
        revision: event.revision,
    };
    TicketView::new(&ticket, "voided").ok()
}

/// BLAKE3 of the answer to the end of a ticket.
pub fn voided_hash(event: &TicketVoidedV1) -> [u8; 32] {
    *blake3::hash(&json(&voided_ticket(event))).as_bytes()
}

/// BLAKE3 of the answer as this build renders it, and as the record keeps it.
pub fn hashes(event: &FiscalEvent) -> ([u8; 32], [u8; 32]) {
    match event {
        FiscalEvent::TicketClosed(closed) => (ReceiptBody::of(closed).hash(), closed.reply_hash),
        FiscalEvent::StockWrittenOff(off) => (WriteOffBody::of(off).hash(), off.reply_hash),
        FiscalEvent::NoSale(opened) => (NoSaleBody::of(opened).hash(), opened.reply_hash),
        FiscalEvent::TicketVoided(voided) => (voided_hash(voided), voided.reply_hash),
    }
}

/// Renders the answer to the close or write-off that a fiscal record holds. `None` for a record of another kind,
/// or of a newer build.
pub fn answer(node: NodeId, term: Term, seq: Seq, raw: &RawEvent) -> Option<(FiscalEvent, Answer)> {
    let event = FiscalEvent::decode(raw).ok()??;
    let answer = answer_of(RecordName::new(node, term, seq, raw), &event);
    Some((event, answer))
}

/// The same for an event that is already decoded.
pub fn answer_of(name: RecordName, event: &FiscalEvent) -> Answer {
    let body = match event {
        FiscalEvent::TicketClosed(closed) => {
            let receipt = ReceiptView { name, body: ReceiptBody::of(closed) };
            json(&Data { data: ReceiptAnswer { receipt } })
        }
        FiscalEvent::StockWrittenOff(off) => json(&Data { data: WriteOffView { name, body: WriteOffBody::of(off) } }),
        FiscalEvent::NoSale(opened) => json(&Data { data: NoSaleView { name, body: NoSaleBody::of(opened) } }),
        FiscalEvent::TicketVoided(voided) => json(&Data { data: voided_ticket(voided) }),
    };
    Answer { status: 200, body }
}
