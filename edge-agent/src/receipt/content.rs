//! What stands on a receipt, from the fiscal record and the shop's settings. All sums come from the record or are
//! made here; whoever lays it out only places them.

use jiff::civil::DateTime;
use protocol::business_day::{BusinessDate, DayRule};
use protocol::collection::ShopSettings;
use protocol::event::{EventError, FiscalEvent, Occurrence, RawEvent, TicketClosedV2};
use protocol::id::{NodeId, Seq, Term};
use protocol::money::{Amount, Currency, NumberError};
use protocol::price::UnitPrice;
use protocol::quantity::Quantity;
use protocol::receipt::ReceiptRef;
use protocol::tax::{TaxMode, TaxRate};
use protocol::ticket::{Discount, Line, LineTotals, Settlement, TaxTotal, Tender, TicketKind};
use protocol::timestamp::Timestamp;

/// A receipt, before it is known what it is printed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptContent {
    /// Whether it is printed again.
    pub copy: bool,
    /// The record it says.
    pub position: ReceiptRef,
    /// The shop's name.
    pub shop: String,
    /// What else stands under the name: address, tax number.
    pub shop_lines: Vec<String>,
    /// Sale or return.
    pub kind: TicketKind,
    /// The lane's name.
    pub lane: String,
    /// Who was signed in, as the shop calls them.
    pub cashier: Option<String>,
    /// When it happened.
    pub times: Times,
    /// A reference of the shop.
    pub reference: Option<String>,
    /// The currency of its amounts.
    pub currency: Currency,
    /// What counts; voided lines are not among them.
    pub lines: Vec<ContentLine>,
    /// The sum of the lines after their own discounts.
    pub subtotal: Amount,
    /// The discount on the whole, and what it came to.
    pub discount: Option<(Discount, Amount)>,
    /// Tax that comes on top of the lines, where prices do not contain it.
    pub tax_on_top: Option<Amount>,
    /// What is to be paid before cash rounding.
    pub total: Amount,
    /// The tax per rate, rising.
    pub taxes: Vec<ContentTax>,
    /// How it was paid.
    pub tenders: Vec<Tender>,
    /// Rounding and change.
    pub settlement: Settlement,
}

/// The times of a receipt, as the clock on the shop's wall shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it happened.
    pub at: DateTime,
    /// When it was written down, if that was later and from paper.
    pub entered_at: Option<DateTime>,
    /// The trading day.
    pub business_date: BusinessDate,
    /// This build does not know the shop's zone: the times are in UTC.
    pub utc: bool,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentLine {
    /// What it is.
    pub description: String,
    /// How many; negative when goods come back.
    pub quantity: Quantity,
    /// What one costs; none where goods come back against a receipt, which says what they came to.
    pub unit_price: Option<UnitPrice>,
    /// What they come to.
    pub gross: Amount,
    /// The line's own discount, and what it came to.
    pub discount: Option<(Discount, Amount)>,
    /// Its tax rate.
    pub rate: TaxRate,
}

/// What one rate comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentTax {
    /// The rate.
    pub rate: TaxRate,
    /// Without the tax.
    pub net: Amount,
    /// The tax.
    pub tax: Amount,
    /// With the tax.
    pub gross: Amount,
}

/// Why a record gives no receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// It cannot be read.
    #[error(transparent)]
    Event(#[from] EventError),
    /// Its amounts do not add up within the limits.
    #[error("the amounts of the record do not add up: {0}")]
    Number(#[from] NumberError),
    /// It is another kind of record, or one of a newer build.
    #[error("the record is no closed ticket that this build can print")]
    NoTicket,
}

impl ReceiptContent {
    /// Reads a record of the fiscal log.
    ///
    /// # Errors
    /// See [`ContentError`].
    pub fn of_record(
        (node, term, seq): (NodeId, Term, Seq),
        record: &RawEvent,
        settings: &ShopSettings,
        lane: &str,
        copy: bool,
    ) -> Result<Self, ContentError> {
        let position = ReceiptRef::of(node, term, seq, record);
        match FiscalEvent::decode(record)? {
            Some(FiscalEvent::TicketClosed(closed)) => Self::of(position, &closed, settings, lane, copy),
            Some(FiscalEvent::StockWrittenOff(_) | FiscalEvent::NoSale(_) | FiscalEvent::TicketVoided(_)) | None => {
                Err(ContentError::NoTicket)
            }
        }
    }

    /// Renders a closed ticket.
    ///
    /// # Errors
    /// [`ContentError::Number`] for amounts that no ticket of this house has.
    pub fn of(
        position: ReceiptRef,
        closed: &TicketClosedV2,
        settings: &ShopSettings,
        lane: &str,
        copy: bool,
    ) -> Result<Self, ContentError> {
        let totals = &closed.totals;
        let ticket_discount = Amount::sum(totals.lines.iter().map(|line| line.ticket_discount))?;
        let mode = closed.terms.tax_mode;
        let taxes: Result<Vec<ContentTax>, NumberError> = totals.taxes.iter().map(|tax| rate(tax, mode)).collect();
        Ok(Self {
            copy,
            position,
            shop: settings.name.clone(),
            shop_lines: Vec::new(),
            kind: closed.kind,
            lane: lane.to_owned(),
            cashier: closed.cashier.as_ref().map(|who| who.name.clone()),
            times: Times::of(&closed.occurred),
            reference: closed.reference.clone(),
            currency: closed.terms.currency,
            lines: closed.lines.iter().zip(&totals.lines).map(|(line, counted)| content_line(line, counted)).collect(),
            subtotal: totals.net.checked_add(ticket_discount)?,
            discount: closed.ticket_discount.map(|discount| (discount, ticket_discount)),
            tax_on_top: match mode {
                TaxMode::Inclusive => None,
                TaxMode::Exclusive => Some(totals.tax),
            },
            total: totals.total,
            taxes: taxes?,
            tenders: closed.tenders.clone(),
            settlement: closed.settlement,
        })
    }
}

fn content_line(line: &Line, counted: &LineTotals) -> ContentLine {
    ContentLine {
        description: line.description.clone(),
        quantity: line.quantity,
        unit_price: line.original.is_none().then_some(line.unit_price),
        gross: counted.gross,
        discount: line.discount.map(|discount| (discount, counted.discount)),
        rate: line.tax_rate,
    }
}

fn rate(tax: &TaxTotal, mode: TaxMode) -> Result<ContentTax, NumberError> {
    let TaxTotal { rate, base, tax } = *tax;
    Ok(match mode {
        TaxMode::Inclusive => ContentTax { rate, net: base.checked_sub(tax)?, tax, gross: base },
        TaxMode::Exclusive => ContentTax { rate, net: base, tax, gross: base.checked_add(tax)? },
    })
}

impl Times {
    fn of(occurred: &Occurrence) -> Self {
        let rule = DayRule::from_minutes(&occurred.zone, occurred.day_starts_minutes).ok();
        let utc = || DayRule::from_minutes("UTC", 0).ok();
        let wall = |at: Timestamp, rule: Option<DayRule>| rule.and_then(|rule| rule.wall(at).ok());
        let told = |at| wall(at, rule.clone()).or_else(|| wall(at, utc())).unwrap_or_default();
        Self {
            at: told(occurred.at),
            entered_at: occurred.late_entry.then(|| told(occurred.recorded_at)),
            business_date: occurred.business_date,
            utc: rule.is_none(),
        }
    }
}
