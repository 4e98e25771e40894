//! Paying a ticket: which tenders settle it, what cash rounding adds, what change goes back.
//! Knows nothing of card terminals; a card tender arrives here when it is a fact.

use serde::{Deserialize, Serialize};

use super::{Tender, TenderKind, Terms, TicketError};
use crate::limits;
use crate::money::{Amount, div_round};

/// How a ticket was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// What cash rounding added (or took, negative): a line of its own on the receipt.
    pub rounding: Amount,
    /// What the customer paid in the end: total and rounding.
    pub paid: Amount,
    /// Cash handed back.
    pub change: Amount,
}

/// Settles `total` with `tenders`.
///
/// Cash rounding applies when any tender is cash: the part not covered by other tenders is rounded to the
/// cash step, halves away from zero. Change is given from cash alone. A total of zero needs no tender.
///
/// # Errors
/// [`TicketError::Unpaid`] and [`TicketError::Overpaid`] say by how much; a tender of zero or against the
/// direction of the total is refused.
pub fn settle(terms: &Terms, total: Amount, tenders: &[Tender]) -> Result<Settlement, TicketError> {
    if tenders.len() > limits::TICKET_TENDERS {
        return Err(TicketError::TooMany("tenders"));
    }
    for (index, tender) in tenders.iter().enumerate() {
        if tender.amount.minor().signum() != total.minor().signum() || tender.amount == Amount::ZERO {
            return Err(TicketError::TenderDirection(index + 1));
        }
    }
    let of_kind = |cash: bool| {
        Amount::sum(tenders.iter().filter(|t| (t.kind == TenderKind::Cash) == cash).map(|t| t.amount))
            .map_err(TicketError::Sum)
    };
    let (cash, other) = (of_kind(true)?, of_kind(false)?);
    let due = total.checked_sub(other).map_err(TicketError::Sum)?;
    let pays_cash = cash != Amount::ZERO;
    let rounding = if pays_cash { round_to_step(due, terms.cash_step)? } else { Amount::ZERO };
    let due = due.checked_add(rounding).map_err(TicketError::Sum)?;
    let left = due.checked_sub(cash).map_err(TicketError::Sum)?;
    let direction = total.minor().signum();
    if left.minor().signum() == direction && left != Amount::ZERO {
        return Err(TicketError::Unpaid { missing_minor: left.minor() });
    }
    let change = left.negated();
    // Change comes out of cash: never more than the cash handed over, and never on a refund.
    let coverable = direction > 0 && change <= cash;
    if change != Amount::ZERO && !coverable {
        return Err(TicketError::Overpaid { over_minor: change.minor().abs() });
    }
    let paid = total.checked_add(rounding).map_err(TicketError::Sum)?;
    Ok(Settlement { rounding, paid, change })
}

/// What brings `due` to a multiple of `step`.
fn round_to_step(due: Amount, step: u16) -> Result<Amount, TicketError> {
    if step <= 1 {
        return Ok(Amount::ZERO);
    }
    let step = i128::from(step);
    let rounded = div_round(i128::from(due.minor()), step) * step;
    Amount::from_wide(rounded - i128::from(due.minor())).map_err(TicketError::Sum)
}
