//! Taking goods of a receipt back: which line of which receipt, how many are left of it, and what was given
//! back before. The amounts themselves are the arithmetic's business ([`protocol::ticket`]).

use protocol::event::TicketClosedV1;
use protocol::id::TicketId;
use protocol::quantity::Quantity;
use protocol::ticket::{GivenBack, Line, LineTotals, Original, Terms, TicketError, Totals};
use serde::{Deserialize, Serialize};

use super::ticket::OpenTicket;
use crate::core::refusal::Refusal;

/// The line of a receipt that goods come back of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sold {
    /// The ticket they were sold on.
    pub ticket: TicketId,
    /// The line there.
    pub line_no: u16,
}

/// One line of a ticket that gives goods of a receipt back, with all that is needed to add it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnedLine {
    /// The rules of the ticket it stands on.
    pub terms: Terms,
    /// How many (negative).
    pub quantity: Quantity,
    /// What it came to.
    pub totals: LineTotals,
}

impl ReturnedLine {
    /// Adds it to what came back before.
    ///
    /// # Errors
    /// Sums beyond the limits.
    pub fn add_to(&self, sum: &mut GivenBack) -> Result<(), Refusal> {
        Ok(sum.add(&self.terms, self.quantity, &self.totals)?)
    }
}

/// The lines of a ticket that give goods of receipts back: what they give back, and themselves.
pub fn returned_lines<'a>(
    terms: &'a Terms,
    lines: &'a [Line],
    totals: &'a Totals,
) -> impl Iterator<Item = (Sold, ReturnedLine)> + 'a {
    lines.iter().zip(&totals.lines).filter_map(|(line, counted)| {
        let original = line.original.as_ref()?;
        let sold = Sold { ticket: original.ticket, line_no: original.line_no };
        Some((sold, ReturnedLine { terms: *terms, quantity: line.quantity, totals: *counted }))
    })
}

/// Adds what open tickets other than `except` give back of a receipt's line: those goods are spoken for.
///
/// # Errors
/// Tickets that cannot be counted.
pub fn add_reserved<'a>(
    sum: &mut GivenBack,
    open: impl IntoIterator<Item = &'a OpenTicket>,
    sold: Sold,
    except: TicketId,
) -> Result<(), Refusal> {
    let speaks_for =
        |line: &Line| line.original.as_ref().is_some_and(|o| o.ticket == sold.ticket && o.line_no == sold.line_no);
    for holder in open {
        if holder.id == except || !holder.lines.iter().any(speaks_for) {
            continue;
        }
        let totals = holder.totals()?;
        for (of, line) in returned_lines(&holder.terms, &holder.lines, &totals) {
            if of == sold {
                line.add_to(sum)?;
            }
        }
    }
    Ok(())
}

/// The line number `number` of a ticket under `terms` that takes `quantity` of a receipt's line back, `before`
/// having been given back already.
///
/// # Errors
/// A line that is not there, is no sale, has another currency, or of which less is left.
pub fn line_from_receipt(
    receipt: &TicketClosedV1,
    receipt_line: u16,
    (number, quantity): (u16, Quantity),
    before: &GivenBack,
    terms: &Terms,
) -> Result<Line, Refusal> {
    let found = receipt.lines.iter().zip(&receipt.totals.lines).find(|(line, _)| line.line_no == receipt_line);
    let Some((sold, counted)) = found else {
        return Err(Refusal::not_found(format!("the receipt has no line {receipt_line}")));
    };
    let original = Original::of_receipt(receipt.ticket, (&receipt.terms, sold, counted), terms, before);
    let original = original.map_err(|error| {
        if matches!(error, TicketError::WrongDirection(_)) {
            Refusal::invalid("that line of the receipt is itself a return; only sold goods come back")
        } else {
            error.into()
        }
    })?;
    let line = Line { line_no: number, discount: None, ..sold.clone() };
    give_back(line, original, quantity)
}

/// A returned line with another quantity, its receipt's line read anew.
///
/// # Errors
/// As [`line_from_receipt`].
pub fn change_returned(line: &Line, quantity: Quantity, before: &GivenBack) -> Result<Line, Refusal> {
    let Some(original) = line.original else {
        return Err(Refusal::invalid("the line does not give goods of a receipt back"));
    };
    if before.quantity() != original.returned_quantity {
        // Other tickets took some of it meanwhile, or gave it up: its share is another one now.
        let message = "goods of that line came back elsewhere since; void this line and ring the return again";
        return Err(Refusal::conflict(message));
    }
    give_back(line.clone(), original, quantity)
}

fn give_back(mut line: Line, original: Original, quantity: Quantity) -> Result<Line, Refusal> {
    if quantity.milli() <= 0 {
        return Err(Refusal::invalid("quantity: say how many come back, as a positive number"));
    }
    let left = original.quantity.checked_add(original.returned_quantity.negated())?;
    if quantity > left {
        let (sold, back) = (original.quantity, original.returned_quantity);
        let message = format!(
            "{quantity} cannot come back: {sold} were sold on that line, {back} came back already or are on open \
             tickets, {left} are left"
        );
        return Err(Refusal::invalid(message).with(serde_json::json!({ "sold": sold, "returned": back, "left": left })));
    }
    line.quantity = quantity.negated();
    line.original = Some(original);
    Ok(line)
}
