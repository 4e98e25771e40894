//! The fold of arithmetic version 1. FROZEN once released: tickets of this version are recomputed with it
//! for as long as they are kept. Its structs are also the byte shape of event version 1.
//!
//! The rules, in the order they apply (DESIGN: "The arithmetic of a ticket"):
//! 1. line: unit price x quantity, rounded once;
//! 2. line discount: a percentage of that, rounded, or an amount;
//! 3. ticket discount: taken of the sum of discounted lines, spread by largest remainder, ties to the lower line;
//! 4. tax: per rate on the sum of its lines, or per line; inclusive or exclusive; rounded once;
//! 5. a line given back against a receipt takes no part in 1-3: it carries the cumulative share of its original.

use serde::{Deserialize, Serialize};

use super::{Terms, TicketError};
use crate::limits;
use crate::money::{Amount, allocate, div_round};
use crate::price::UnitPrice;
use crate::quantity::Quantity;
use crate::tax::{ONE_PPM, TaxBasis, TaxMode, TaxRate, tax_of};

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
    /// So many millionths of the amount (10 % is 100,000), at most all of it.
    Percent(u32),
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
    /// What they came to after discounts, in the ticket's tax mode.
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

impl Discount {
    /// The discount on an amount, in the direction of the amount; `None` when it is larger.
    fn of(self, amount: Amount) -> Option<Amount> {
        let sign = if amount.minor() < 0 { -1 } else { 1 };
        let minor = match self {
            Self::Percent(ppm) if ppm > ONE_PPM => return None,
            Self::Percent(ppm) => div_round(i128::from(amount.minor()) * i128::from(ppm), i128::from(ONE_PPM)),
            Self::Amount(off) if off.minor() < 0 || off > amount.abs() => return None,
            Self::Amount(off) => i128::from(sign * off.minor()),
        };
        Amount::from_wide(minor).ok()
    }
}

/// The share of `whole` that `part` of `of` units carry together, rounded once; so that the differences
/// between rising parts always sum to the whole.
fn cumulative_share(whole: Amount, part: Quantity, of: Quantity) -> Amount {
    let exact = i128::from(whole.minor()) * i128::from(part.milli());
    // |part| <= |of| by the check before, so the share never exceeds the whole.
    Amount::from_wide(div_round(exact, i128::from(of.milli().max(1)))).unwrap_or(whole)
}

/// Counts a ticket.
///
/// # Errors
/// Says which line or sum cannot be counted, and why; see [`TicketError`].
pub fn fold(
    terms: &Terms,
    kind: TicketKind,
    lines: &[Line],
    ticket_discount: Option<Discount>,
) -> Result<Totals, TicketError> {
    if terms.arithmetic != super::ARITHMETIC {
        return Err(TicketError::UnknownArithmetic(terms.arithmetic));
    }
    if lines.len() > limits::TICKET_LINES {
        return Err(TicketError::TooMany("lines"));
    }
    let mut totals = Vec::with_capacity(lines.len());
    let mut last = 0;
    for line in lines {
        if line.line_no <= last {
            return Err(TicketError::LineOrder(line.line_no));
        }
        last = line.line_no;
        totals.push(count_line(terms, kind, line)?);
    }
    spread_ticket_discount(lines, &mut totals, ticket_discount)?;
    let taxes = count_taxes(terms, lines, &mut totals)?;
    sum_up(terms, totals, taxes)
}

fn count_line(terms: &Terms, kind: TicketKind, line: &Line) -> Result<LineTotals, TicketError> {
    let no = line.line_no;
    let wrong = |source| TicketError::Line { line: no, source };
    if let Some(original) = &line.original {
        return give_back(no, line.quantity, original);
    }
    let forward = match kind {
        TicketKind::Sale => line.quantity.milli() > 0,
        TicketKind::Return => line.quantity.milli() < 0,
    };
    if !forward {
        return Err(TicketError::WrongDirection(no));
    }
    let gross = line.unit_price.extend(line.quantity, terms.currency).map_err(wrong)?;
    if gross.abs().minor() > limits::TICKET_AMOUNT_MINOR {
        return Err(wrong(crate::money::NumberError::TooLarge));
    }
    let discount = match line.discount {
        Some(discount) => discount.of(gross).ok_or(TicketError::DiscountTooLarge(no))?,
        None => Amount::ZERO,
    };
    let net = gross.checked_sub(discount).map_err(wrong)?;
    Ok(LineTotals { line_no: no, gross, discount, ticket_discount: Amount::ZERO, net, tax: Amount::ZERO })
}

fn give_back(no: u16, quantity: Quantity, original: &Original) -> Result<LineTotals, TicketError> {
    let sold = original.quantity;
    let before = original.returned_quantity;
    if quantity.milli() >= 0 {
        return Err(TicketError::WrongDirection(no));
    }
    let wrong = |source| TicketError::Line { line: no, source };
    let after = before.checked_add(quantity.negated()).map_err(wrong)?;
    if sold.milli() <= 0 || before.milli() < 0 || after > sold {
        return Err(TicketError::ReturnsTooMuch(no));
    }
    let net = cumulative_share(original.net, after, sold).checked_sub(original.returned_net).map_err(wrong)?.negated();
    let tax = cumulative_share(original.tax, after, sold).checked_sub(original.returned_tax).map_err(wrong)?.negated();
    Ok(LineTotals { line_no: no, gross: net, discount: Amount::ZERO, ticket_discount: Amount::ZERO, net, tax })
}

fn spread_ticket_discount(
    lines: &[Line],
    totals: &mut [LineTotals],
    ticket_discount: Option<Discount>,
) -> Result<(), TicketError> {
    let Some(discount) = ticket_discount else { return Ok(()) };
    let takes_part = |line: &Line| line.original.is_none();
    let weights: Vec<i64> = lines
        .iter()
        .zip(totals.iter())
        .map(|(line, line_totals)| if takes_part(line) { line_totals.net.abs().minor() } else { 0 })
        .collect();
    let base = lines.iter().zip(totals.iter()).filter(|(line, _)| takes_part(line)).map(|(_, t)| t.net);
    let base = Amount::sum(base).map_err(TicketError::Sum)?;
    let off = discount.of(base).ok_or(TicketError::TicketDiscountTooLarge)?;
    if off == Amount::ZERO {
        return Ok(());
    }
    for (line_totals, share) in totals.iter_mut().zip(allocate(off.minor(), &weights)) {
        line_totals.ticket_discount = Amount::from_minor(share).map_err(TicketError::Sum)?;
        line_totals.net = line_totals.net.checked_sub(line_totals.ticket_discount).map_err(TicketError::Sum)?;
    }
    Ok(())
}

fn count_taxes(terms: &Terms, lines: &[Line], totals: &mut [LineTotals]) -> Result<Vec<TaxTotal>, TicketError> {
    let mut rates: Vec<TaxRate> = lines.iter().map(|line| line.tax_rate).collect();
    rates.sort_unstable();
    rates.dedup();
    if rates.len() > limits::TICKET_TAX_RATES {
        return Err(TicketError::TooMany("tax rates"));
    }
    let mut taxes = Vec::with_capacity(rates.len());
    for rate in rates {
        let of_rate: Vec<usize> =
            lines.iter().enumerate().filter(|(_, line)| line.tax_rate == rate).map(|(index, _)| index).collect();
        tax_priced_lines(terms, rate, &of_rate, lines, totals)?;
        let picked = |field: fn(&LineTotals) -> Amount| {
            Amount::sum(of_rate.iter().filter_map(|index| totals.get(*index)).map(field)).map_err(TicketError::Sum)
        };
        taxes.push(TaxTotal { rate, base: picked(|t| t.net)?, tax: picked(|t| t.tax)? });
    }
    Ok(taxes)
}

/// Sets the tax of the lines of one rate that are priced here (lines given back bring theirs along).
fn tax_priced_lines(
    terms: &Terms,
    rate: TaxRate,
    of_rate: &[usize],
    lines: &[Line],
    totals: &mut [LineTotals],
) -> Result<(), TicketError> {
    let priced: Vec<usize> =
        of_rate.iter().copied().filter(|index| lines.get(*index).is_some_and(|line| line.original.is_none())).collect();
    let nets: Vec<Amount> = priced.iter().filter_map(|index| totals.get(*index)).map(|t| t.net).collect();
    let shares: Vec<i64> = match terms.tax_basis {
        TaxBasis::PerLine => {
            let each: Result<Vec<_>, _> = nets.iter().map(|net| tax_of(*net, rate, terms.tax_mode)).collect();
            each.map_err(TicketError::Sum)?.into_iter().map(Amount::minor).collect()
        }
        TaxBasis::PerReceipt => {
            let base = Amount::sum(nets.iter().copied()).map_err(TicketError::Sum)?;
            let tax = tax_of(base, rate, terms.tax_mode).map_err(TicketError::Sum)?;
            let weights: Vec<i64> = nets.iter().map(|net| net.abs().minor()).collect();
            allocate(tax.minor(), &weights)
        }
    };
    for (index, share) in priced.into_iter().zip(shares) {
        if let Some(line_totals) = totals.get_mut(index) {
            line_totals.tax = Amount::from_minor(share).map_err(TicketError::Sum)?;
        }
    }
    Ok(())
}

fn sum_up(terms: &Terms, lines: Vec<LineTotals>, taxes: Vec<TaxTotal>) -> Result<Totals, TicketError> {
    let sum = |field: fn(&LineTotals) -> Amount| Amount::sum(lines.iter().map(field)).map_err(TicketError::Sum);
    let gross = sum(|line| line.gross)?;
    let line_discounts = sum(|line| line.discount)?;
    let ticket_discounts = sum(|line| line.ticket_discount)?;
    let discounts = line_discounts.checked_add(ticket_discounts).map_err(TicketError::Sum)?;
    let net = sum(|line| line.net)?;
    let tax = sum(|line| line.tax)?;
    let total = match terms.tax_mode {
        TaxMode::Inclusive => net,
        TaxMode::Exclusive => net.checked_add(tax).map_err(TicketError::Sum)?,
    };
    if total.abs().minor() > limits::TICKET_AMOUNT_MINOR {
        return Err(TicketError::Sum(crate::money::NumberError::TooLarge));
    }
    Ok(Totals { lines, taxes, gross, discounts, net, tax, total })
}
