//! A ticket and its arithmetic. Edge and head office both compute totals with the fold of the ticket's own
//! version; an old version stays as a frozen module. Knows nothing of storage, lanes or devices.

pub mod v1;

pub use v1::{
    Discount, Due, GivenBack, Line, LineTotals, Original, Pricing, Settlement, TaxTotal, Tender, TenderKind,
    TicketKind, Totals,
};

use serde::{Deserialize, Serialize};

use crate::money::{Amount, Currency, NumberError};
use crate::tax::{TaxBasis, TaxMode};

/// The version of the arithmetic that new tickets are rung with.
pub const ARITHMETIC: u16 = v1::VERSION;

/// The rules a ticket is counted by, fixed when it is opened and carried on it for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Which fold computes it ([`ARITHMETIC`]).
    pub arithmetic: u16,
    /// The currency of every amount on it.
    pub currency: Currency,
    /// Whether prices contain the tax.
    pub tax_mode: TaxMode,
    /// Where tax is rounded.
    pub tax_basis: TaxBasis,
    /// Cash is paid in multiples of so many minor units; 0 or 1 rounds nothing.
    pub cash_step: u16,
}

/// Why a ticket cannot be counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// A number beyond the limits.
    #[error("line {line}: {source}")]
    Line {
        /// The line's number.
        line: u16,
        /// What is wrong with it.
        source: NumberError,
    },
    /// A sum beyond the limits.
    #[error("the ticket: {0}")]
    Sum(NumberError),
    /// A fold this build does not have.
    #[error("the ticket was rung with arithmetic version {0}, which this build does not know")]
    UnknownArithmetic(u16),
    /// A sale with a negative line, or a return with a positive one.
    #[error("line {0}: the quantity points the wrong way for this kind of ticket")]
    WrongDirection(u16),
    /// A discount larger than what it is taken from.
    #[error("line {0}: the discount is larger than the line")]
    DiscountTooLarge(u16),
    /// A ticket discount larger than the lines together.
    #[error("the discount is larger than the ticket")]
    TicketDiscountTooLarge,
    /// A discount on a line that gives goods of a receipt back: the receipt already says what they came to.
    #[error("line {0}: goods that come back against a receipt carry no discount of their own")]
    DiscountOnReturn(u16),
    /// Giving back more than was sold.
    #[error("line {0}: more is given back than was sold on the receipt")]
    ReturnsTooMuch(u16),
    /// Two lines give back the same line of one receipt.
    #[error("line {0}: this line of the receipt already comes back on this ticket; change that line's quantity")]
    ReturnedTwice(u16),
    /// Giving back goods that were sold in another currency.
    #[error("the receipt is in {sold}, this ticket in {now}")]
    OtherCurrency {
        /// What was paid.
        sold: Currency,
        /// What the ticket is counted in.
        now: Currency,
    },
    /// Two lines with one number, or numbers out of order.
    #[error("line numbers must rise; {0} does not")]
    LineOrder(u16),
    /// Too many lines, tenders or rates.
    #[error("more {0} than one ticket may have")]
    TooMany(&'static str),
    /// Tenders that do not pay the ticket exactly (change apart).
    #[error("{missing_minor} minor units are still to be paid")]
    Unpaid {
        /// What is missing; negative when a refund is still to be paid out.
        missing_minor: i64,
    },
    /// Paid too much without cash to give change from, or change on a refund.
    #[error("the tenders exceed the ticket by {over_minor} minor units and no cash tender covers the change")]
    Overpaid {
        /// What is too much.
        over_minor: i64,
    },
    /// A tender that points the wrong way, or is zero although something is to be paid.
    #[error("tender {0}: the amount points the wrong way or is zero")]
    TenderDirection(usize),
}

/// Counts a ticket with the arithmetic it was rung with.
///
/// # Errors
/// [`TicketError::UnknownArithmetic`] for a version of a newer build; otherwise says which line or sum
/// cannot be counted, and why.
pub fn fold(
    terms: &Terms,
    kind: TicketKind,
    lines: &[Line],
    ticket_discount: Option<Discount>,
) -> Result<Totals, TicketError> {
    match terms.arithmetic {
        v1::VERSION => v1::fold(terms, kind, lines, ticket_discount),
        other => Err(TicketError::UnknownArithmetic(other)),
    }
}

/// Settles `total` with `tenders` by the arithmetic the ticket was rung with; see [`v1::settle`].
///
/// # Errors
/// [`TicketError::Unpaid`] and [`TicketError::Overpaid`] say by how much.
pub fn settle(terms: &Terms, total: Amount, tenders: &[Tender]) -> Result<Settlement, TicketError> {
    match terms.arithmetic {
        v1::VERSION => v1::settle(terms, total, tenders),
        other => Err(TicketError::UnknownArithmetic(other)),
    }
}

/// What is still to be paid after `tenders`, exactly and in cash; see [`v1::due`].
///
/// # Errors
/// Only sums beyond the limits and an unknown arithmetic.
pub fn due(terms: &Terms, total: Amount, tenders: &[Tender]) -> Result<Due, TicketError> {
    match terms.arithmetic {
        v1::VERSION => v1::due(terms, total, tenders),
        other => Err(TicketError::UnknownArithmetic(other)),
    }
}
