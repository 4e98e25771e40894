//! The fold of arithmetic version 1: from lines to totals. FROZEN once released, with the helpers it calls
//! (`div_round`, `allocate`, `tax_of`, `Percent::of`, `UnitPrice::extend`); the made corpus holds them to DESIGN.

use std::collections::BTreeSet;

use super::give_back::give_back;
use super::{Discount, Line, LineTotals, TaxTotal, TicketKind, Totals, VERSION};
use crate::limits;
use crate::money::{Amount, NumberError, allocate};
use crate::promotion;
use crate::quantity::Quantity;
use crate::tax::{TaxBasis, TaxMode, TaxRate, tax_of};
use crate::ticket::{Terms, TicketError};

/// Why a discount is not one.
enum DiscountFault {
    Negative,
    TooLarge,
}

impl Discount {
    /// The discount on an amount, in the direction of the amount.
    fn of(self, amount: Amount) -> Result<Amount, DiscountFault> {
        let off = match self {
            Self::Percent(percent) => return Ok(percent.of(amount)),
            Self::Amount(off) => off,
        };
        if off < Amount::ZERO {
            return Err(DiscountFault::Negative);
        }
        if off > amount.abs() {
            return Err(DiscountFault::TooLarge);
        }
        Ok(if amount < Amount::ZERO { off.negated() } else { off })
    }
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
    if terms.arithmetic != VERSION {
        return Err(TicketError::UnknownArithmetic(terms.arithmetic));
    }
    if lines.len() > limits::TICKET_LINES {
        return Err(TicketError::TooMany("lines"));
    }
    let mut totals = Vec::with_capacity(lines.len());
    let mut last = 0;
    let mut coming_back = BTreeSet::new();
    for line in lines {
        if line.line_no <= last {
            return Err(TicketError::LineOrder(line.line_no));
        }
        last = line.line_no;
        if let Some(original) = &line.original
            && !coming_back.insert((original.ticket, original.line_no))
        {
            return Err(TicketError::ReturnedTwice(line.line_no));
        }
        totals.push(match &line.original {
            Some(original) => give_back(line, original)?,
            None => price_line(terms, kind, line)?,
        });
    }
    spread_ticket_discount(lines, &mut totals, ticket_discount)?;
    let taxes = count_taxes(terms, lines, &mut totals)?;
    sum_up(terms, totals, taxes)
}

fn price_line(terms: &Terms, kind: TicketKind, line: &Line) -> Result<LineTotals, TicketError> {
    let no = line.line_no;
    let wrong = |source| TicketError::Line { line: no, source };
    let forward = match kind {
        TicketKind::Sale => line.quantity > Quantity::ZERO,
        TicketKind::Return => line.quantity < Quantity::ZERO,
    };
    if !forward {
        return Err(TicketError::WrongDirection(no));
    }
    let gross = line.unit_price.extend(line.quantity, terms.currency).map_err(wrong)?;
    if gross.abs().minor() > limits::TICKET_AMOUNT_MINOR {
        return Err(wrong(NumberError::TooLarge));
    }
    let priced = promotion::less(no, gross, promotion::NONE).map_err(wrong)?;
    let discount = match line.discount.map(|discount| discount.of(priced)) {
        None => Amount::ZERO,
        Some(Ok(discount)) => discount,
        Some(Err(DiscountFault::TooLarge)) => return Err(TicketError::DiscountTooLarge(no)),
        Some(Err(DiscountFault::Negative)) => return Err(wrong(NumberError::Negative)),
    };
    let net = priced.checked_sub(discount).map_err(wrong)?;
    Ok(LineTotals { line_no: no, gross, discount, ticket_discount: Amount::ZERO, net, tax: Amount::ZERO })
}

/// Lines that are priced here; a line given back brings its share of discount and tax along.
fn priced_here(line: &Line) -> bool {
    line.original.is_none()
}

/// The size of an amount as a weight to share out by.
fn weight(amount: Amount) -> u64 {
    amount.minor().unsigned_abs()
}

fn spread_ticket_discount(
    lines: &[Line],
    totals: &mut [LineTotals],
    ticket_discount: Option<Discount>,
) -> Result<(), TicketError> {
    let Some(discount) = ticket_discount else { return Ok(()) };
    let nets: Vec<Amount> =
        lines.iter().zip(totals.iter()).map(|(l, t)| if priced_here(l) { t.net } else { Amount::ZERO }).collect();
    let base = Amount::sum(nets.iter().copied()).map_err(TicketError::Sum)?;
    let off = discount.of(base).map_err(|fault| match fault {
        DiscountFault::TooLarge => TicketError::TicketDiscountTooLarge,
        DiscountFault::Negative => TicketError::Sum(NumberError::Negative),
    })?;
    let weights: Vec<u64> = nets.iter().copied().map(weight).collect();
    for (line_totals, share) in totals.iter_mut().zip(allocate(off, &weights)) {
        line_totals.ticket_discount = share;
        line_totals.net = line_totals.net.checked_sub(share).map_err(TicketError::Sum)?;
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
        tax_priced_lines(terms, rate, lines, totals)?;
        let of_rate = || lines.iter().zip(totals.iter()).filter(|(line, _)| line.tax_rate == rate).map(|(_, t)| t);
        let base = Amount::sum(of_rate().map(|t| t.net)).map_err(TicketError::Sum)?;
        let tax = Amount::sum(of_rate().map(|t| t.tax)).map_err(TicketError::Sum)?;
        taxes.push(TaxTotal { rate, base, tax });
    }
    Ok(taxes)
}

/// Sets the tax of the lines of one rate that are priced here.
fn tax_priced_lines(
    terms: &Terms,
    rate: TaxRate,
    lines: &[Line],
    totals: &mut [LineTotals],
) -> Result<(), TicketError> {
    let mut priced: Vec<&mut LineTotals> = lines
        .iter()
        .zip(totals.iter_mut())
        .filter(|(line, _)| line.tax_rate == rate && priced_here(line))
        .map(|(_, line_totals)| line_totals)
        .collect();
    match terms.tax_basis {
        TaxBasis::PerLine => {
            for line_totals in priced {
                line_totals.tax = tax_of(line_totals.net, rate, terms.tax_mode).map_err(TicketError::Sum)?;
            }
        }
        TaxBasis::PerReceipt => {
            let base = Amount::sum(priced.iter().map(|t| t.net)).map_err(TicketError::Sum)?;
            let tax = tax_of(base, rate, terms.tax_mode).map_err(TicketError::Sum)?;
            let weights: Vec<u64> = priced.iter().map(|t| weight(t.net)).collect();
            for (line_totals, share) in priced.iter_mut().zip(allocate(tax, &weights)) {
                line_totals.tax = share;
            }
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
        return Err(TicketError::Sum(NumberError::TooLarge));
    }
    Ok(Totals { lines, taxes, gross, discounts, net, tax, total })
}
