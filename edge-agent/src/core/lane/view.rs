//! Open tickets as a terminal reads them (JSON). Receipts, which are rendered from records, stand beside.

use protocol::business_day::BusinessDate;
use protocol::id::{LaneId, TicketId};
use protocol::money::Currency;
use protocol::price::UnitPrice;
use protocol::quantity::Quantity;
use protocol::tax::TaxRate;
use protocol::ticket::{
    Discount, Line, LineTotals, Pricing, Settlement, Tender, TenderKind, Terms, TicketError, TicketKind, Totals, due,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::ticket::OpenTicket;

/// `{data: ...}` around every success.
#[derive(Serialize, ToSchema)]
pub struct Data<T> {
    /// What was asked for.
    pub data: T,
}

/// JSON bytes of a view. These types always serialize; should one ever not, the reader sees `null`.
pub fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec())
}

/// A discount: `{"percent": "10"}` or `{"amount_minor": 150}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiscountView {
    /// Percent, as a decimal with up to four digits after the point.
    Percent(String),
    /// Minor units.
    AmountMinor(i64),
}

impl From<Discount> for DiscountView {
    fn from(discount: Discount) -> Self {
        match discount {
            Discount::Percent(percent) => Self::Percent(percent.to_string()),
            Discount::Amount(off) => Self::AmountMinor(off.minor()),
        }
    }
}

/// The line of a receipt that a line gives back.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OriginalView {
    /// The ticket the goods were sold on.
    #[schema(value_type = String)]
    pub ticket_id: TicketId,
    /// Its line.
    pub line_no: u16,
    /// How many were sold.
    #[schema(value_type = String)]
    pub quantity: Quantity,
}

/// A line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LineView {
    /// Its number.
    pub line_no: u16,
    /// Product code; absent on an open-price line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What it is.
    pub description: String,
    /// How many; negative when goods come back.
    #[schema(value_type = String)]
    pub quantity: Quantity,
    /// What one costs.
    #[schema(value_type = String)]
    pub unit_price: UnitPrice,
    /// `book`, `override` or `open`.
    pub pricing: &'static str,
    /// The book's price, when it was overridden.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub book_price: Option<UnitPrice>,
    /// Its own discount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount: Option<DiscountView>,
    /// Its tax rate in millionths.
    #[schema(value_type = u32)]
    pub tax_rate_ppm: TaxRate,
    /// What it gives back of a receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<OriginalView>,
    /// Unit price x quantity.
    pub gross_minor: i64,
    /// After its own discount and its share of the ticket's.
    pub net_minor: i64,
    /// Its share of the tax.
    pub tax_minor: i64,
    /// Whether it was taken back; then it counts for nothing.
    pub voided: bool,
}

impl LineView {
    /// A line with what it comes to; without counts it is a voided one.
    pub fn new(line: &Line, counted: Option<&LineTotals>) -> Self {
        let (pricing, book_price) = match line.pricing {
            Pricing::Book => ("book", None),
            Pricing::Override { book } => ("override", Some(book)),
            Pricing::Open => ("open", None),
        };
        let original = line.original.map(|original| OriginalView {
            ticket_id: original.ticket,
            line_no: original.line_no,
            quantity: original.quantity,
        });
        Self {
            line_no: line.line_no,
            code: line.code.clone(),
            description: line.description.clone(),
            quantity: line.quantity,
            unit_price: line.unit_price,
            pricing,
            book_price,
            discount: line.discount.map(DiscountView::from),
            tax_rate_ppm: line.tax_rate,
            original,
            gross_minor: counted.map_or(0, |counted| counted.gross.minor()),
            net_minor: counted.map_or(0, |counted| counted.net.minor()),
            tax_minor: counted.map_or(0, |counted| counted.tax.minor()),
            voided: counted.is_none(),
        }
    }
}

/// A payment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TenderView {
    /// The number it is removed by, while the ticket is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u16>,
    /// `cash` or `card_recorded`.
    #[schema(value_type = String)]
    pub kind: TenderKind,
    /// Positive to the shop, negative to the customer.
    pub amount_minor: i64,
    /// The slip's number or the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl TenderView {
    /// A payment, with its number while it can be removed.
    pub fn new(number: Option<u16>, tender: &Tender) -> Self {
        Self { number, kind: tender.kind, amount_minor: tender.amount.minor(), reference: tender.reference.clone() }
    }
}

/// What a ticket comes to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TotalsView {
    /// Sum of the lines before discounts.
    pub gross_minor: i64,
    /// Sum of all discounts.
    pub discounts_minor: i64,
    /// After discounts, in the shop's tax mode.
    pub net_minor: i64,
    /// The tax.
    pub tax_minor: i64,
    /// What the customer pays, before cash rounding.
    pub total_minor: i64,
    /// The total less the tenders so far; negative is still to be paid out.
    pub due_minor: i64,
    /// The same in cash, rounded to the shop's step.
    pub cash_due_minor: i64,
}

impl TotalsView {
    /// Totals with what is still to be paid.
    ///
    /// # Errors
    /// Sums beyond the limits.
    pub fn new(terms: &Terms, totals: &Totals, tenders: &[Tender]) -> Result<Self, TicketError> {
        let due = due(terms, totals.total, tenders)?;
        Ok(Self { due_minor: due.exact.minor(), cash_due_minor: due.in_cash.minor(), ..Self::settled(totals) })
    }

    /// Totals of a closed ticket: nothing is due.
    pub fn settled(totals: &Totals) -> Self {
        Self {
            gross_minor: totals.gross.minor(),
            discounts_minor: totals.discounts.minor(),
            net_minor: totals.net.minor(),
            tax_minor: totals.tax.minor(),
            total_minor: totals.total.minor(),
            due_minor: 0,
            cash_due_minor: 0,
        }
    }
}

/// An open or parked ticket.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TicketView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: TicketId,
    /// `sale` or `return`.
    #[schema(value_type = String)]
    pub kind: TicketKind,
    /// `open`, `parked` or `voided`.
    pub state: &'static str,
    /// The lane that holds it.
    #[schema(value_type = String)]
    pub lane_id: LaneId,
    /// When it was opened, UTC.
    pub opened_at: String,
    /// Whether it is rung from paper.
    pub late_entry: bool,
    /// The paper's time, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The trading day of a late entry; that of any other ticket is told when it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub business_date: Option<BusinessDate>,
    /// A reference of the shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What was written on it when it was parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The currency of its amounts.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// All lines, voided ones marked.
    pub lines: Vec<LineView>,
    /// Discount on the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_discount: Option<DiscountView>,
    /// Payments so far.
    pub tenders: Vec<TenderView>,
    /// What it comes to.
    pub totals: TotalsView,
    /// How many changes it went through.
    pub revision: u32,
}

impl TicketView {
    /// A ticket as it stands.
    ///
    /// # Errors
    /// A ticket that cannot be counted.
    pub fn new(ticket: &OpenTicket, state: &'static str) -> Result<Self, TicketError> {
        let totals = ticket.totals()?;
        let mut lines: Vec<LineView> =
            ticket.lines.iter().zip(&totals.lines).map(|(line, counted)| LineView::new(line, Some(counted))).collect();
        lines.extend(ticket.voided.iter().map(|voided| LineView::new(&voided.line, None)));
        lines.sort_by_key(|line| line.line_no);
        Ok(Self {
            id: ticket.id,
            kind: ticket.kind,
            state,
            lane_id: ticket.lane,
            opened_at: ticket.opened_at.to_string(),
            late_entry: ticket.late.is_some(),
            at: ticket.late.map(|late| late.at.to_string()),
            business_date: ticket.late.map(|late| late.business_date),
            reference: ticket.reference.clone(),
            note: ticket.parked.as_ref().and_then(|parked| parked.note.clone()),
            currency: ticket.terms.currency,
            lines,
            ticket_discount: ticket.discount.map(DiscountView::from),
            tenders: ticket.tenders.iter().map(|t| TenderView::new(Some(t.number), &t.tender)).collect(),
            totals: totals_of(ticket, &totals)?,
            revision: ticket.revision,
        })
    }
}

/// The totals of an open ticket with what is still to be paid.
///
/// # Errors
/// Sums beyond the limits.
pub fn totals_of(ticket: &OpenTicket, totals: &Totals) -> Result<TotalsView, TicketError> {
    let tenders: Vec<Tender> = ticket.tenders.iter().map(|numbered| numbered.tender.clone()).collect();
    TotalsView::new(&ticket.terms, totals, &tenders)
}

/// The answer to a change of a line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LineAnswer {
    /// The line as it stands.
    pub line: LineView,
    /// The ticket's totals.
    pub totals: TotalsView,
    /// The ticket's revision.
    pub revision: u32,
}

/// One tax rate of a receipt.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TaxView {
    /// The rate in millionths.
    #[schema(value_type = u32)]
    pub rate_ppm: TaxRate,
    /// The sum of its lines, in the shop's tax mode.
    pub base_minor: i64,
    /// The tax.
    pub tax_minor: i64,
}

/// How a ticket was settled.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SettlementView {
    /// What cash rounding added, or took when negative.
    pub rounding_minor: i64,
    /// What was paid in the end.
    pub paid_minor: i64,
    /// Cash handed back.
    pub change_minor: i64,
}

impl From<Settlement> for SettlementView {
    fn from(settlement: Settlement) -> Self {
        Self {
            rounding_minor: settlement.rounding.minor(),
            paid_minor: settlement.paid.minor(),
            change_minor: settlement.change.minor(),
        }
    }
}
