//! What makes an event countable, and counting it again with its own arithmetic. Pure. Whoever sent it, nothing
//! gets past here that could not stand in a table or a sum: such an event is kept with its flaw and blocks nothing.

use protocol::business_day::BusinessDate;
use protocol::event::{StockWrittenOffV1, TicketClosedV1};
use protocol::limits;
use protocol::money::Amount;
use protocol::ticket::{self, LineTotals, TicketKind};
use protocol::timestamp::Timestamp;
use time::{Date, OffsetDateTime};

use super::columns::SalesSum;

/// HQ counts the ticket as the lane did.
pub const CHECK_EQUAL: i16 = 0;
/// HQ counts the ticket otherwise.
pub const CHECK_DIFFERS: i16 = 1;
/// HQ cannot count the ticket (an arithmetic it does not know, lines that make no sense).
pub const CHECK_IMPOSSIBLE: i16 = 2;

/// The number of a ticket kind in the database.
pub const fn kind_number(kind: TicketKind) -> i16 {
    match kind {
        TicketKind::Sale => 1,
        TicketKind::Return => 2,
    }
}

/// What HQ makes of a ticket.
pub(crate) struct Counted {
    /// One of [`CHECK_EQUAL`], [`CHECK_DIFFERS`], [`CHECK_IMPOSSIBLE`].
    pub(crate) check: i16,
    /// HQ's total where it differs from the lane's.
    pub(crate) total: Option<i64>,
    /// HQ's figures per line, where it can count.
    pub(crate) lines: Option<Vec<LineTotals>>,
}

/// Counts a ticket with the arithmetic it was rung with.
pub(crate) fn count_again(body: &TicketClosedV1) -> Counted {
    let Ok(totals) = ticket::fold(&body.terms, body.kind, &body.lines, body.ticket_discount) else {
        return Counted { check: CHECK_IMPOSSIBLE, total: None, lines: None };
    };
    let settled = ticket::settle(&body.terms, totals.total, &body.tenders);
    let equal = totals == body.totals && settled.is_ok_and(|settled| settled == body.settlement);
    Counted {
        check: if equal { CHECK_EQUAL } else { CHECK_DIFFERS },
        total: (!equal).then_some(totals.total.minor()),
        lines: Some(totals.lines),
    }
}

/// The lane's figures per line; HQ's where the lane's do not name the ticket's lines.
pub(crate) fn figures_of(body: &TicketClosedV1, counted: Option<Vec<LineTotals>>) -> Vec<LineTotals> {
    let fits = |figures: &[LineTotals]| {
        figures.len() == body.lines.len() && figures.iter().zip(&body.lines).all(|(f, line)| f.line_no == line.line_no)
    };
    if fits(&body.totals.lines) {
        return body.totals.lines.clone();
    }
    counted
        .filter(|figures| fits(figures))
        .unwrap_or_else(|| body.lines.iter().map(|line| zero(line.line_no)).collect())
}

const fn zero(line_no: u16) -> LineTotals {
    let none = Amount::ZERO;
    LineTotals { line_no, gross: none, discount: none, ticket_discount: none, net: none, tax: none }
}

/// What one ticket adds to its day and hour.
pub(crate) fn sum_of(body: &TicketClosedV1, check: i16) -> SalesSum {
    let total = body.totals.total.minor();
    let (sales, returns, gross_sales_minor, returns_minor) = match body.kind {
        TicketKind::Sale => (1, 0, total, 0),
        TicketKind::Return => (0, 1, 0, -total),
    };
    SalesSum {
        sales,
        returns,
        lines: i64::from(count(body.lines.len())),
        gross_sales_minor,
        returns_minor,
        tax_minor: body.totals.tax.minor(),
        discounts_minor: body.totals.discounts.minor(),
        rounding_minor: body.settlement.rounding.minor(),
        mismatched: i64::from(check != CHECK_EQUAL),
        late_entries: i64::from(body.occurred.late_entry),
    }
}

/// Refuses what could never stand in a table or a sum, whoever sent it.
pub(crate) fn check_ticket(body: &TicketClosedV1) -> Result<(), String> {
    let totals = &body.totals;
    let sizes = [
        (body.lines.len(), limits::TICKET_LINES, "lines"),
        (body.tenders.len(), limits::TICKET_TENDERS, "tenders"),
        (totals.taxes.len(), limits::TICKET_TAX_RATES, "tax rates"),
    ];
    for (has, allowed, what) in sizes {
        if has > allowed {
            return Err(format!("{has} {what}; a ticket has at most {allowed}"));
        }
    }
    let mut last = 0;
    for line in &body.lines {
        if line.line_no <= last {
            return Err(format!("line numbers must rise; {} does not", line.line_no));
        }
        last = line.line_no;
    }
    check_codes(body.lines.iter().map(|line| line.code.as_deref()))?;
    check_amounts([totals.gross, totals.discounts, totals.net, totals.tax, totals.total])?;
    check_amounts([body.settlement.rounding, body.settlement.paid, body.settlement.change])?;
    check_amounts(body.tenders.iter().map(|tender| tender.amount))?;
    check_amounts(totals.taxes.iter().flat_map(|tax| [tax.base, tax.tax]))?;
    check_amounts(totals.lines.iter().flat_map(|l| [l.gross, l.discount, l.ticket_discount, l.net, l.tax]))
}

/// Refuses a write-off that could not stand in a table.
pub(crate) fn check_write_off(body: &StockWrittenOffV1) -> Result<(), String> {
    if body.lines.len() > limits::TICKET_LINES {
        return Err(format!("{} lines; a write-off has at most {}", body.lines.len(), limits::TICKET_LINES));
    }
    check_codes(body.lines.iter().map(|line| Some(line.code.as_str())))?;
    check_amounts(body.lines.iter().filter_map(|line| line.value))
}

fn check_codes<'a>(codes: impl Iterator<Item = Option<&'a str>>) -> Result<(), String> {
    for code in codes.flatten() {
        if code.is_empty() || code.len() > limits::CODE_BYTES {
            return Err(format!("a code of {} bytes; codes have 1 to {}", code.len(), limits::CODE_BYTES));
        }
    }
    Ok(())
}

fn check_amounts(amounts: impl IntoIterator<Item = Amount>) -> Result<(), String> {
    for amount in amounts {
        if amount.abs().minor() > limits::TICKET_AMOUNT_MINOR {
            return Err(format!("an amount of {} minor units is more than a ticket can have", amount.minor()));
        }
    }
    Ok(())
}

/// A trading day in the database's type; years 1970 to 9999.
pub fn calendar_date(date: BusinessDate) -> Result<Date, String> {
    let outside = || format!("the trading day {date} lies outside 1970 to 9999");
    let days = date.days();
    let julian = days.checked_add(2_440_588).filter(|_| days >= 0).ok_or_else(outside)?;
    Date::from_julian_day(julian).map_err(|_| outside())
}

/// A point in time in the database's type; years 1970 to 9999.
pub fn moment(at: Timestamp) -> Result<OffsetDateTime, String> {
    let outside = || format!("the time {} ms lies outside 1970 to 9999", at.0);
    if at.0 < 0 {
        return Err(outside());
    }
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000).map_err(|_| outside())
}

/// PostgreSQL keeps any text but the NUL character.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// [`clean`] for a text that is ours already.
pub(crate) fn owned_clean(text: String) -> String {
    if text.contains('\0') { clean(&text) } else { text }
}

/// A number of things as the database counts it.
pub(crate) fn count(items: usize) -> i32 {
    i32::try_from(items).unwrap_or(i32::MAX)
}
