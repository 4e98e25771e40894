//! Arithmetic version 1. FROZEN once released: tickets of this version are recomputed with it for as long as
//! they are kept. Its structs are also the byte shape of event version 1.

// The rules, in the order they apply (DESIGN: "The arithmetic of a ticket"):
// 1. line: unit price x quantity, rounded once (promotions would come here; version 1 has none);
// 2. line discount: a percentage of that, rounded, or an amount;
// 3. ticket discount: taken of the sum of discounted lines, spread by largest remainder, ties to the lower line;
// 4. tax: per rate on the sum of its lines, or per line; inclusive or exclusive; rounded once;
// 5. a line given back against a receipt takes no part in 1-4: it carries the cumulative share of its original.

mod count;
mod give_back;
mod settle;

pub use count::fold;
pub use give_back::GivenBack;
pub use settle::{Due, Settlement, due, settle};

use serde::{Deserialize, Serialize};

use crate::money::Amount;
use crate::price::UnitPrice;
use crate::quantity::Quantity;
use crate::tax::{Percent, TaxRate};

/// The number of this arithmetic. Stays 1 when newer ones come.
pub const VERSION: u16 = 1;

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketKind {
    /// Goods go out. It may also take lines of earlier receipts back (an exchange).
    Sale,
    /// Goods come back: against a receipt, or blind (every quantity negative).
    Return,
}

/// A reduction of a line or of the whole ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discount {
    /// So much of the amount, at most all of it.
    Percent(Percent),
    /// So many minor units, without sign; on a blind return they reduce what is given back.
    Amount(Amount),
}

/// Where a line's unit price came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pricing {
    /// The price book.
    Book,
    /// A person set it against the book, whose price is kept here.
    Override {
        /// What the book said.
        book: UnitPrice,
    },
    /// An open-price line: no code, the price was typed.
    Open,
}

/// What a receipt said of a line that now comes back, and how much of it came back before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// The ticket it was sold on.
    pub ticket: crate::id::TicketId,
    /// Its line number there.
    pub line_no: u16,
    /// How many were sold (positive).
    pub quantity: Quantity,
    /// What they came to after discounts, in the tax mode of the ticket that takes them back.
    pub net: Amount,
    /// The tax share of that.
    pub tax: Amount,
    /// How many were given back before.
    pub returned_quantity: Quantity,
    /// What was given back for them (positive).
    pub returned_net: Amount,
    /// The tax share of that (positive).
    pub returned_tax: Amount,
}

/// One line of a ticket as it stands when the ticket is counted. Voided lines are not among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number, from 1, rising; never used again after a void.
    pub line_no: u16,
    /// Product code; none on an open-price line.
    pub code: Option<String>,
    /// What the receipt says.
    pub description: String,
    /// How many; negative when goods come back.
    pub quantity: Quantity,
    /// What one costs.
    pub unit_price: UnitPrice,
    /// Where that price came from.
    pub pricing: Pricing,
    /// The line's own discount.
    pub discount: Option<Discount>,
    /// Its tax rate.
    pub tax_rate: TaxRate,
    /// Set when the line gives back goods of a receipt.
    pub original: Option<Original>,
}

/// How a tender is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenderKind {
    /// Notes and coins; the only kind that gives change and is rounded to the cash step.
    Cash,
    /// A card payment made beside the till and recorded here.
    CardRecorded,
}

/// A payment. Positive to the shop, negative to the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tender {
    /// How.
    pub kind: TenderKind,
    /// How much was handed over, before change.
    pub amount: Amount,
    /// The slip's number or the like.
    pub reference: Option<String>,
}

/// What one line comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineTotals {
    /// Its number.
    pub line_no: u16,
    /// Unit price x quantity (for a line given back: its net).
    pub gross: Amount,
    /// Its own discount, in the direction of the line (positive on a sale).
    pub discount: Amount,
    /// Its share of the ticket discount, likewise.
    pub ticket_discount: Amount,
    /// Gross less both discounts: contains the tax in inclusive mode.
    pub net: Amount,
    /// Its share of the ticket's tax.
    pub tax: Amount,
}

/// What one tax rate comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxTotal {
    /// The rate.
    pub rate: TaxRate,
    /// The sum of the lines of this rate, in the ticket's mode (with the tax in inclusive mode).
    pub base: Amount,
    /// The tax.
    pub tax: Amount,
}

/// What a ticket comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Per line, in line order.
    pub lines: Vec<LineTotals>,
    /// Per rate, rising.
    pub taxes: Vec<TaxTotal>,
    /// Sum of the lines' gross.
    pub gross: Amount,
    /// Sum of all discounts.
    pub discounts: Amount,
    /// Sum of the lines' net.
    pub net: Amount,
    /// Sum of the taxes.
    pub tax: Amount,
    /// What the customer pays before cash rounding: net, and the tax on top in exclusive mode.
    pub total: Amount,
}
