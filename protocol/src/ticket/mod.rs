//! A ticket and its arithmetic. Edge and head office both compute totals with the fold of the ticket's own
//! version; an old version stays as a frozen module. Knows nothing of storage, lanes or devices.

pub mod settle;
pub mod v1;

pub use settle::{Settlement, settle};
pub use v1::{Discount, Line, LineTotals, Original, Pricing, TaxTotal, Tender, TenderKind, TicketKind, Totals, fold};

use serde::{Deserialize, Serialize};

use crate::money::{Currency, NumberError};
use crate::tax::{TaxBasis, TaxMode};

/// The version of the arithmetic that new tickets are rung with.
pub const ARITHMETIC: u16 = 1;

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
    /// Giving back more than was sold.
    #[error("line {0}: more is given back than was sold on the receipt")]
    ReturnsTooMuch(u16),
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
    /// A tender that points the wrong way or is zero.
    #[error("tender {0}: the amount points the wrong way or is zero")]
    TenderDirection(usize),
}
