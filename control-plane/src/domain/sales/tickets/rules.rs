//! Filters, the place in a list, and a ticket laid out for people. Pure.

use protocol::event::{Approval, Approved, FiscalEvent, RawEvent, TicketClosedV1};
use protocol::tax::TaxMode;
use protocol::ticket::{Line, LineTotals, Pricing, TenderKind};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::domain::sales::rules::{CHECK_DIFFERS, CHECK_EQUAL};
use crate::domain::sales::types::{
    TicketApproval, TicketDetail, TicketItem, TicketRow, TicketTax, TicketTender, VoidedItem,
};

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of one shop.
    pub shop: Option<Uuid>,
    /// From this trading day on.
    pub from: Option<Date>,
    /// Up to this trading day.
    pub to: Option<Date>,
    /// 1 sale, 2 return.
    pub kind: Option<i16>,
    /// Of one lane.
    pub lane: Option<Uuid>,
    /// After this place.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: u32,
}

/// Where a page ended: the sort key of its last ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Trading day.
    pub date: Date,
    /// When it was closed.
    pub occurred_at: OffsetDateTime,
    /// Node.
    pub node: Uuid,
    /// Term.
    pub term: i64,
    /// Position.
    pub seq: i64,
}

impl Place {
    /// As the opaque text that a client gives back.
    pub fn to_text(self) -> String {
        let micros = self.occurred_at.unix_timestamp_nanos() / 1_000;
        format!("{}~{micros}~{}~{}~{}", self.date.to_julian_day(), self.node.simple(), self.term, self.seq)
    }

    /// Reads it back; `None` for anything this build did not write.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('~');
        // Years that a ticket can have (see `moment`); PostgreSQL knows fewer than this type does.
        let date = Date::from_julian_day(parts.next()?.parse().ok()?).ok().filter(|date| date.year() >= 1970)?;
        let micros: i64 = parts.next()?.parse().ok().filter(|micros| *micros >= 0)?;
        let occurred_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()?;
        let node = Uuid::parse_str(parts.next()?).ok()?;
        let term = parts.next()?.parse().ok()?;
        let seq = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Self { date, occurred_at, node, term, seq })
    }

    /// The place of a listed ticket.
    pub fn of(row: &TicketRow, date: Date) -> Self {
        Self { date, occurred_at: row.occurred_at, node: row.node_id, term: row.term, seq: row.seq }
    }
}

/// The name of a ticket kind by its number.
pub const fn kind_name(number: i16) -> &'static str {
    match number {
        1 => "sale",
        2 => "return",
        _ => "unknown",
    }
}

/// The number of a ticket kind by its name.
pub fn kind_number(name: &str) -> Option<i16> {
    match name {
        "sale" => Some(1),
        "return" => Some(2),
        _ => None,
    }
}

/// The name of a check result.
pub const fn check_name(number: i16) -> &'static str {
    match number {
        CHECK_EQUAL => "equal",
        CHECK_DIFFERS => "differs",
        _ => "impossible",
    }
}

/// A ticket whole, from its row and its event. `None` when the event holds no ticket this build can read.
pub fn detail(row: TicketRow, event: &RawEvent, chain_hash: Option<String>) -> Option<TicketDetail> {
    let body = match FiscalEvent::decode(event) {
        Ok(Some(FiscalEvent::TicketClosed(body))) => body,
        Ok(Some(FiscalEvent::StockWrittenOff(_) | FiscalEvent::NoSale(_) | FiscalEvent::TicketVoided(_)) | None)
        | Err(_) => return None,
    };
    let figure = |line: &Line| body.totals.lines.iter().find(|totals| totals.line_no == line.line_no).copied();
    Some(TicketDetail {
        items: body.lines.iter().map(|line| item(line, figure(line))).collect(),
        voided: voided(&body),
        cashier: body.cashier.as_ref().map(|staff| staff.name.clone()),
        approvals: body.approvals.iter().map(approval).collect(),
        tenders: body
            .tenders
            .iter()
            .map(|tender| TicketTender {
                kind: match tender.kind {
                    TenderKind::Cash => "cash",
                    TenderKind::CardRecorded => "card_recorded",
                },
                amount_minor: tender.amount.minor(),
                reference: tender.reference.clone(),
            })
            .collect(),
        taxes: body
            .totals
            .taxes
            .iter()
            .map(|tax| TicketTax { rate_ppm: tax.rate.ppm(), base_minor: tax.base.minor(), tax_minor: tax.tax.minor() })
            .collect(),
        gross_minor: body.totals.gross.minor(),
        discounts_minor: body.totals.discounts.minor(),
        net_minor: body.totals.net.minor(),
        rounding_minor: body.settlement.rounding.minor(),
        change_minor: body.settlement.change.minor(),
        tax_mode: match body.terms.tax_mode {
            TaxMode::Inclusive => "inclusive",
            TaxMode::Exclusive => "exclusive",
        },
        chain_hash,
        row,
    })
}

fn item(line: &Line, figures: Option<LineTotals>) -> TicketItem {
    let (pricing, book_price) = match line.pricing {
        Pricing::Book => ("book", None),
        Pricing::Override { book } => ("override", Some(book.to_string())),
        Pricing::Open => ("open", None),
    };
    let of = |field: fn(&LineTotals) -> i64| figures.as_ref().map_or(0, field);
    TicketItem {
        line_no: line.line_no,
        code: line.code.clone(),
        description: line.description.clone(),
        quantity: line.quantity.to_string(),
        unit_price: line.unit_price.to_string(),
        pricing,
        book_price,
        gross_minor: of(|f| f.gross.minor()),
        discount_minor: of(|f| f.discount.minor() + f.ticket_discount.minor()),
        net_minor: of(|f| f.net.minor()),
        tax_minor: of(|f| f.tax.minor()),
        tax_rate_ppm: line.tax_rate.ppm(),
    }
}

fn approval(given: &Approval) -> TicketApproval {
    let (line_no, amount) = match given.what {
        Approved::VoidLine { line_no, amount } | Approved::ReduceLine { line_no, amount, .. } => {
            (Some(line_no), Some(amount))
        }
        Approved::VoidTicket { amount } | Approved::Refund { amount } => (None, Some(amount)),
        Approved::Discount { line_no, amount, .. } => (line_no, Some(amount)),
        Approved::NoSale | Approved::LateEntry => (None, None),
    };
    TicketApproval {
        action: given.what.action().name(),
        line_no,
        amount_minor: amount.map(protocol::money::Amount::minor),
        approver: given.approver.name.clone(),
        approver_id: given.approver.id.as_uuid(),
        cashier: given.cashier.as_ref().map(|staff| staff.name.clone()),
        reason: given.reason.clone(),
        at: given.at.to_string(),
    }
}

fn voided(body: &TicketClosedV1) -> Vec<VoidedItem> {
    let of = |void: &protocol::event::VoidedLine| VoidedItem {
        line_no: void.line.line_no,
        code: void.line.code.clone(),
        description: void.line.description.clone(),
        quantity: void.line.quantity.to_string(),
        reason: void.reason.clone(),
    };
    body.voided.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_the_trip_to_the_client() {
        let place = Place {
            date: Date::from_julian_day(2_455_532).unwrap(),
            occurred_at: OffsetDateTime::from_unix_timestamp(1_291_191_960).unwrap(),
            node: Uuid::from_u128(7),
            term: 2,
            seq: 91,
        };
        assert_eq!(Place::parse(&place.to_text()), Some(place));
        let nobody = Uuid::nil().simple().to_string();
        let before_time = format!("-1930000~0~{nobody}~1~1");
        let before_calendars = format!("2455532~-377705116800000000~{nobody}~1~1");
        for wrong in [&before_time, &before_calendars] {
            assert_eq!(Place::parse(wrong), None, "{wrong:?}");
        }
        for wrong in ["", "x", "1~2~3", &format!("{}~1", place.to_text())] {
            assert_eq!(Place::parse(wrong), None, "{wrong:?}");
        }
    }
}
