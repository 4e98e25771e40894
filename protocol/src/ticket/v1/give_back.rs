//! Giving back goods of a receipt, arithmetic version 1 (FROZEN once released): k of n units carry the
//! cumulative share less what was given back before, so that partial returns sum to the original. Knows only
//! what the line says of its original; finding the receipt is the caller's business.

use super::{Line, LineTotals, Original};
use crate::id::TicketId;
use crate::limits;
use crate::money::{Amount, NumberError, div_round};
use crate::quantity::Quantity;
use crate::tax::TaxMode;
use crate::ticket::{Terms, TicketError};

/// What came back of one line of a receipt so far, over all the tickets that took some of it back. Kept
/// without tax and tax apart, so that it can be told in the tax mode of the ticket that asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GivenBack {
    quantity: Quantity,
    without_tax: Amount,
    tax: Amount,
}

impl GivenBack {
    /// Adds a line of a ticket under `terms` that gave back `quantity` (negative) and came to `totals`.
    ///
    /// # Errors
    /// [`NumberError::TooLarge`] beyond the limits; nothing is added then.
    pub fn add(&mut self, terms: &Terms, quantity: Quantity, totals: &LineTotals) -> Result<(), NumberError> {
        *self = Self {
            quantity: self.quantity.checked_add(quantity.negated())?,
            without_tax: self.without_tax.checked_sub(without_tax(terms, totals)?)?,
            tax: self.tax.checked_sub(totals.tax)?,
        };
        Ok(())
    }

    /// How many came back.
    pub const fn quantity(&self) -> Quantity {
        self.quantity
    }
}

impl Original {
    /// What a line of a receipt was, told for a ticket under `now` that takes some of it back. The shop may
    /// have changed between prices with and without tax since: the amounts are told in the mode of `now`.
    ///
    /// # Errors
    /// [`TicketError::OtherCurrency`]; [`TicketError::WrongDirection`] when the line sold nothing (it was a
    /// return itself); numbers beyond the limits.
    pub fn of_receipt(
        ticket: TicketId,
        sold: (&Terms, &Line, &LineTotals),
        now: &Terms,
        before: &GivenBack,
    ) -> Result<Self, TicketError> {
        let (terms, line, totals) = sold;
        if terms.currency != now.currency {
            return Err(TicketError::OtherCurrency { sold: terms.currency, now: now.currency });
        }
        if line.quantity <= Quantity::ZERO || line.original.is_some() {
            return Err(TicketError::WrongDirection(line.line_no));
        }
        let wrong = |source| TicketError::Line { line: line.line_no, source };
        let told = |without_tax: Amount, tax: Amount| match now.tax_mode {
            TaxMode::Inclusive => without_tax.checked_add(tax).map_err(wrong),
            TaxMode::Exclusive => Ok(without_tax),
        };
        Ok(Self {
            ticket,
            line_no: line.line_no,
            quantity: line.quantity,
            net: told(without_tax(terms, totals).map_err(wrong)?, totals.tax)?,
            tax: totals.tax,
            returned_quantity: before.quantity,
            returned_net: told(before.without_tax, before.tax)?,
            returned_tax: before.tax,
        })
    }

    /// Refuses what no receipt can have said.
    fn check(&self, no: u16) -> Result<(), TicketError> {
        let none = Amount::ZERO;
        if self.net < none || self.tax < none || self.returned_net < none || self.returned_tax < none {
            return Err(TicketError::Line { line: no, source: NumberError::Negative });
        }
        if self.net.minor() > limits::TICKET_AMOUNT_MINOR || self.tax.minor() > limits::TICKET_AMOUNT_MINOR {
            return Err(TicketError::Line { line: no, source: NumberError::TooLarge });
        }
        let possible = self.quantity > Quantity::ZERO
            && self.returned_quantity >= Quantity::ZERO
            && self.returned_net <= self.net
            && self.returned_tax <= self.tax;
        if possible { Ok(()) } else { Err(TicketError::ReturnsTooMuch(no)) }
    }
}

/// Counts a line that gives back `line.quantity` (negative) of `original`.
pub(super) fn give_back(line: &Line, original: &Original) -> Result<LineTotals, TicketError> {
    let no = line.line_no;
    let wrong = |source| TicketError::Line { line: no, source };
    if line.quantity >= Quantity::ZERO {
        return Err(TicketError::WrongDirection(no));
    }
    if line.discount.is_some() {
        return Err(TicketError::DiscountOnReturn(no));
    }
    original.check(no)?;
    let after = original.returned_quantity.checked_add(line.quantity.negated()).map_err(wrong)?;
    if after > original.quantity {
        return Err(TicketError::ReturnsTooMuch(no));
    }
    let part = |whole: Amount, before: Amount| {
        let share = cumulative_share(whole, after, original.quantity).map_err(wrong)?;
        // A share told in another tax mode may lag a minor unit behind; the next part catches up. The
        // customer never pays for a return.
        Ok(share.checked_sub(before).map_err(wrong)?.max(Amount::ZERO).negated())
    };
    let net = part(original.net, original.returned_net)?;
    let tax = part(original.tax, original.returned_tax)?;
    Ok(LineTotals { line_no: no, gross: net, discount: Amount::ZERO, ticket_discount: Amount::ZERO, net, tax })
}

fn without_tax(terms: &Terms, totals: &LineTotals) -> Result<Amount, NumberError> {
    match terms.tax_mode {
        TaxMode::Inclusive => totals.net.checked_sub(totals.tax),
        TaxMode::Exclusive => Ok(totals.net),
    }
}

/// What `part` of `of` units carry together of `whole`, rounded once: the differences between rising parts
/// always sum to the whole.
fn cumulative_share(whole: Amount, part: Quantity, of: Quantity) -> Result<Amount, NumberError> {
    let exact = i128::from(whole.minor()) * i128::from(part.milli());
    Amount::from_wide(div_round(exact, i128::from(of.milli().max(1))))
}
