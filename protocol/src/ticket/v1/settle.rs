//! Paying a ticket, arithmetic version 1 (FROZEN once released): which tenders settle it, what cash rounding
//! adds, what change goes back. Knows nothing of card terminals; a card tender arrives here when it is a fact.

use serde::{Deserialize, Serialize};

use super::{Tender, TenderKind};
use crate::limits;
use crate::money::{Amount, NumberError, div_round};
use crate::ticket::{Terms, TicketError};

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

/// What is still to be paid. In the direction of the total; beyond it (change due) it points the other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// By a tender that pays to the minor unit.
    pub exact: Amount,
    /// In cash, rounded to the cash step.
    pub in_cash: Amount,
}

/// What the tenders come to by kind, and what is left for cash.
struct Sums {
    cash: Amount,
    /// The total less every tender that is not cash: what cash has to cover, unrounded.
    cash_part: Amount,
    /// What brings `cash_part` to a multiple of the cash step.
    rounding: Amount,
}

/// Settles `total` with `tenders`.
///
/// Cash rounding applies when any tender is cash: the part not covered by other tenders is rounded to the
/// cash step, halves away from zero. Change is given from cash alone. A total of zero needs no tender. A
/// cash tender of zero says "paid in cash" of an amount that rounds to nothing, and is refused otherwise.
///
/// # Errors
/// [`TicketError::Unpaid`] and [`TicketError::Overpaid`] say by how much; a tender of zero or against the
/// direction of the total is refused, and so is one beyond [`limits::TICKET_AMOUNT_MINOR`].
pub fn settle(terms: &Terms, total: Amount, tenders: &[Tender]) -> Result<Settlement, TicketError> {
    if tenders.len() > limits::TICKET_TENDERS {
        return Err(TicketError::TooMany("tenders"));
    }
    let too_large = |amount: Amount| amount.abs().minor() > limits::TICKET_AMOUNT_MINOR;
    if too_large(total) || tenders.iter().any(|tender| too_large(tender.amount)) {
        return Err(TicketError::Sum(NumberError::TooLarge));
    }
    let direction = total.minor().signum();
    let sums = add_up(terms, total, tenders)?;
    let nothing_in_cash = sums.cash_part != Amount::ZERO && sums.cash_part == sums.rounding.negated();
    for (index, tender) in tenders.iter().enumerate() {
        let sign = tender.amount.minor().signum();
        let pays = sign != 0 && sign == direction;
        let empty_hand = sign == 0 && tender.kind == TenderKind::Cash && nothing_in_cash;
        if !(pays || empty_hand) {
            return Err(TicketError::TenderDirection(index + 1));
        }
    }
    // Cards and the like pay to the minor unit: rounding never swallows what they take too much.
    if sums.cash_part.minor().signum() == -direction && direction != 0 && sums.cash_part != Amount::ZERO {
        return Err(TicketError::Overpaid { over_minor: sums.cash_part.abs().minor() });
    }
    let pays_cash = tenders.iter().any(|tender| tender.kind == TenderKind::Cash);
    let rounding = if pays_cash { sums.rounding } else { Amount::ZERO };
    let due = sums.cash_part.checked_add(rounding).map_err(TicketError::Sum)?;
    let left = due.checked_sub(sums.cash).map_err(TicketError::Sum)?;
    if left != Amount::ZERO && left.minor().signum() == direction {
        return Err(TicketError::Unpaid { missing_minor: left.minor() });
    }
    let change = left.negated();
    // Change comes out of cash that was handed over, so there is none on a refund.
    let coverable = direction > 0 && change <= sums.cash;
    if change != Amount::ZERO && !coverable {
        return Err(TicketError::Overpaid { over_minor: change.abs().minor() });
    }
    let paid = total.checked_add(rounding).map_err(TicketError::Sum)?;
    Ok(Settlement { rounding, paid, change })
}

/// What is still to be paid of `total` after `tenders`: what a till shows while the customer pays.
///
/// # Errors
/// Only sums beyond the limits.
pub fn due(terms: &Terms, total: Amount, tenders: &[Tender]) -> Result<Due, TicketError> {
    let sums = add_up(terms, total, tenders)?;
    let exact = sums.cash_part.checked_sub(sums.cash).map_err(TicketError::Sum)?;
    let in_cash = exact.checked_add(sums.rounding).map_err(TicketError::Sum)?;
    Ok(Due { exact, in_cash })
}

fn add_up(terms: &Terms, total: Amount, tenders: &[Tender]) -> Result<Sums, TicketError> {
    let of_kind = |cash: bool| {
        Amount::sum(tenders.iter().filter(|t| (t.kind == TenderKind::Cash) == cash).map(|t| t.amount))
            .map_err(TicketError::Sum)
    };
    let cash = of_kind(true)?;
    let cash_part = total.checked_sub(of_kind(false)?).map_err(TicketError::Sum)?;
    Ok(Sums { cash, cash_part, rounding: round_to_step(cash_part, terms.cash_step)? })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;
    use crate::tax::{TaxBasis, TaxMode};

    fn terms(cash_step: u16) -> Terms {
        Terms {
            arithmetic: super::super::VERSION,
            currency: Currency::GBP,
            tax_mode: TaxMode::Inclusive,
            tax_basis: TaxBasis::PerReceipt,
            cash_step,
        }
    }

    fn pays(step: u16, total: i64, tenders: &[(TenderKind, i64)]) -> Result<(i64, i64, i64), TicketError> {
        let tenders: Vec<Tender> = tenders
            .iter()
            .map(|(kind, minor)| Tender { kind: *kind, amount: Amount::from_minor(*minor).unwrap(), reference: None })
            .collect();
        let settled = settle(&terms(step), Amount::from_minor(total).unwrap(), &tenders)?;
        Ok((settled.rounding.minor(), settled.paid.minor(), settled.change.minor()))
    }

    const CASH: TenderKind = TenderKind::Cash;
    const CARD: TenderKind = TenderKind::CardRecorded;

    #[test]
    fn exact_over_and_under() {
        assert_eq!(pays(0, 255, &[(CASH, 255)]), Ok((0, 255, 0)));
        assert_eq!(pays(0, 255, &[(CASH, 500)]), Ok((0, 255, 245)));
        assert_eq!(pays(0, 255, &[(CASH, 200)]), Err(TicketError::Unpaid { missing_minor: 55 }));
        assert_eq!(pays(0, 255, &[(CARD, 256)]), Err(TicketError::Overpaid { over_minor: 1 }));
        assert_eq!(pays(0, 255, &[(CARD, 155), (CASH, 200)]), Ok((0, 255, 100)));
        assert_eq!(pays(0, 255, &[]), Err(TicketError::Unpaid { missing_minor: 255 }));
        assert_eq!(pays(0, 0, &[]), Ok((0, 0, 0)));
        assert_eq!(pays(0, 0, &[(CASH, 1)]), Err(TicketError::TenderDirection(1)));
        assert_eq!(pays(0, 0, &[(CASH, 0)]), Err(TicketError::TenderDirection(1)));
    }

    #[test]
    fn cash_is_rounded_and_cards_are_not() {
        assert_eq!(pays(5, 252, &[(CASH, 250)]), Ok((-2, 250, 0)));
        assert_eq!(pays(5, 253, &[(CASH, 300)]), Ok((2, 255, 45)));
        assert_eq!(pays(5, 253, &[(CARD, 253)]), Ok((0, 253, 0)));
        // Only the part that cash covers is rounded.
        assert_eq!(pays(5, 1_003, &[(CARD, 1_000), (CASH, 5)]), Ok((2, 1_005, 0)));
        // Half a step goes away from zero, in both directions.
        assert_eq!(pays(10, 255, &[(CASH, 260)]), Ok((5, 260, 0)));
        assert_eq!(pays(10, -255, &[(CASH, -260)]), Ok((-5, -260, 0)));
    }

    #[test]
    fn an_amount_that_rounds_to_nothing_is_paid_by_saying_cash() {
        assert_eq!(pays(5, 2, &[]), Err(TicketError::Unpaid { missing_minor: 2 }));
        assert_eq!(pays(5, 2, &[(CASH, 0)]), Ok((-2, 0, 0)));
        assert_eq!(pays(5, -2, &[(CASH, 0)]), Ok((2, 0, 0)));
        assert_eq!(pays(5, 2, &[(CASH, 5)]), Ok((-2, 0, 5)));
        assert_eq!(pays(5, 1_002, &[(CARD, 1_000), (CASH, 0)]), Ok((-2, 1_000, 0)));
        assert_eq!(pays(5, 3, &[(CASH, 0)]), Err(TicketError::TenderDirection(1)));
        assert_eq!(pays(5, 2, &[(CARD, 0)]), Err(TicketError::TenderDirection(1)));
        assert_eq!(pays(0, 2, &[(CASH, 0)]), Err(TicketError::TenderDirection(1)));
    }

    #[test]
    fn rounding_never_hides_a_card_that_took_too_much() {
        assert_eq!(pays(5, 1_000, &[(CARD, 1_002), (CASH, 5)]), Err(TicketError::Overpaid { over_minor: 2 }));
        assert_eq!(pays(5, -1_000, &[(CARD, -1_002), (CASH, -5)]), Err(TicketError::Overpaid { over_minor: 2 }));
    }

    #[test]
    fn refunds_give_no_change_and_pay_out_exactly() {
        assert_eq!(pays(0, -500, &[(CASH, -500)]), Ok((0, -500, 0)));
        assert_eq!(pays(0, -500, &[(CASH, -600)]), Err(TicketError::Overpaid { over_minor: 100 }));
        assert_eq!(pays(0, -500, &[(CASH, -400)]), Err(TicketError::Unpaid { missing_minor: -100 }));
        assert_eq!(pays(0, -500, &[(CASH, 500)]), Err(TicketError::TenderDirection(1)));
        assert_eq!(pays(0, 500, &[(CARD, 600), (CARD, -100)]), Err(TicketError::TenderDirection(2)));
    }

    #[test]
    fn the_till_shows_what_is_left() {
        let cash = |minor| Tender { kind: CASH, amount: Amount::from_minor(minor).unwrap(), reference: None };
        let left = |total, tenders: &[Tender]| {
            let due = due(&terms(5), Amount::from_minor(total).unwrap(), tenders).unwrap();
            (due.exact.minor(), due.in_cash.minor())
        };
        assert_eq!(left(1_002, &[]), (1_002, 1_000));
        assert_eq!(left(1_002, &[cash(500)]), (502, 500));
        assert_eq!(left(1_002, &[cash(2_000)]), (-998, -1_000));
        assert_eq!(left(-1_002, &[]), (-1_002, -1_000));
    }

    #[test]
    fn too_many_tenders_and_too_large_sums_are_refused() {
        let many = vec![(CASH, 1); limits::TICKET_TENDERS + 1];
        assert_eq!(pays(0, 51, &many), Err(TicketError::TooMany("tenders")));
        let most = limits::TICKET_AMOUNT_MINOR;
        assert_eq!(pays(0, most, &[(CASH, most)]), Ok((0, most, 0)));
        let too_large = Err(TicketError::Sum(NumberError::TooLarge));
        assert_eq!(pays(0, most, &[(CASH, most + 1)]), too_large);
        assert_eq!(pays(0, most + 1, &[(CASH, most)]), too_large);
    }
}
