//! Promotions: the seam between what a line is priced at and the discounts a person gives. Pure; knows lines by
//! their number alone.

// Arithmetic version 1 has no promotions, and its events and totals carry no place for them: a frozen byte
// shape with an always empty list would promise rules that nobody has decided. What later promotions need is
// here: an outcome that names the promotion, the line, the amount and the reason in words, and the one step
// that takes outcomes off a priced line. Version 2 evaluates its offers once, when the ticket closes, carries
// the outcomes in its own event version, and HQ repeats the subtraction, not the evaluation: the offers of
// that day need not be known any more to prove the receipt. Version 1 takes the same step with [`NONE`].

use serde::{Deserialize, Serialize};

use crate::money::{Amount, NumberError};

/// One promotion's effect on one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedPromotion {
    /// The line it reduces.
    pub line_no: u16,
    /// The promotion's code, for reports.
    pub promotion: String,
    /// What it takes off, in minor units, without sign; on a blind return it reduces what is given back.
    pub off: Amount,
    /// Why, in words that stand on the receipt, such as "3 for 2".
    pub explanation: String,
}

/// The promotions of a ticket of arithmetic version 1.
pub const NONE: &[AppliedPromotion] = &[];

/// What is left of a line priced at `gross` after the promotions that name it, in the direction of the line.
/// Every discount of a person is taken of this.
///
/// # Errors
/// [`NumberError::Negative`] for a promotion that would raise the price, and [`NumberError::TooLarge`] when
/// they take off more than the line.
pub fn less(line_no: u16, gross: Amount, applied: &[AppliedPromotion]) -> Result<Amount, NumberError> {
    let mut left = gross.abs();
    for outcome in applied.iter().filter(|outcome| outcome.line_no == line_no) {
        if outcome.off < Amount::ZERO {
            return Err(NumberError::Negative);
        }
        if outcome.off > left {
            return Err(NumberError::TooLarge);
        }
        left = left.checked_sub(outcome.off)?;
    }
    Ok(if gross < Amount::ZERO { left.negated() } else { left })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn off(line_no: u16, minor: i64) -> AppliedPromotion {
        AppliedPromotion {
            line_no,
            promotion: "3FOR2".into(),
            off: Amount::from_minor(minor).unwrap(),
            explanation: "3 for 2".into(),
        }
    }

    #[test]
    fn none_leaves_a_line_as_it_is() {
        for minor in [-500, -1, 0, 1, 500] {
            let gross = Amount::from_minor(minor).unwrap();
            assert_eq!(less(1, gross, NONE), Ok(gross));
        }
    }

    #[test]
    fn only_the_named_line_is_reduced_and_never_below_nothing() {
        let gross = Amount::from_minor(500).unwrap();
        let applied = [off(1, 200), off(2, 50), off(1, 300)];
        assert_eq!(less(1, gross, &applied).unwrap().minor(), 0);
        assert_eq!(less(2, gross, &applied).unwrap().minor(), 450);
        assert_eq!(less(2, gross.negated(), &applied).unwrap().minor(), -450);
        assert_eq!(less(1, gross, &[off(1, 501)]), Err(NumberError::TooLarge));
        assert_eq!(less(1, gross, &[off(1, -1)]), Err(NumberError::Negative));
    }
}
