//! Which figures are asked for, and when they can be added. Pure.

use std::collections::HashMap;

use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::types::Looks;

/// A shop, or all of them, over some trading days (both ends included; an open end is all there is).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// One shop.
    pub shop: Option<Uuid>,
    /// First day.
    pub from: Option<Date>,
    /// Last day.
    pub to: Option<Date>,
}

/// Why figures cannot be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// The days end before they begin.
    #[error("from: {from} lies after to: {to}")]
    Reversed {
        /// First day.
        from: Date,
        /// Last day.
        to: Date,
    },
    /// Amounts of several currencies are never added.
    #[error("the figures are in several currencies ({0}); ask shop by shop with shop_id, or for fewer days")]
    Currencies(String),
}

impl Range {
    /// A range whose days do not run backwards.
    ///
    /// # Errors
    /// [`RangeError::Reversed`].
    pub fn new(shop: Option<Uuid>, from: Option<Date>, to: Option<Date>) -> Result<Self, RangeError> {
        match (from, to) {
            (Some(from), Some(to)) if from > to => Err(RangeError::Reversed { from, to }),
            _ => Ok(Self { shop, from, to }),
        }
    }
}

/// The one currency of some figures, else of the shops asked for; none when there is nothing to tell it by.
///
/// # Errors
/// [`RangeError::Currencies`] when there are several: of figures always, of shops when there are no figures yet.
pub fn one_currency(of_figures: &[String], of_shops: &[String]) -> Result<Option<String>, RangeError> {
    let all = if of_figures.is_empty() { of_shops } else { of_figures };
    match all {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        // No figures and several kinds of shops: all sums are 0 in any currency, so none is named.
        _ if of_figures.is_empty() => Ok(None),
        several => Err(RangeError::Currencies(several.join(", "))),
    }
}

/// The range that `from..=to` is compared with: as long, and so many whole weeks earlier that it does not overlap, so
/// that weekdays stand against weekdays.
pub fn before(from: Date, to: Date) -> (Date, Date) {
    let weeks = i64::from((to.to_julian_day() - from.to_julian_day()) / 7 + 1);
    let earlier = |date: Date| date.checked_sub(time::Duration::weeks(weeks)).unwrap_or(Date::MIN);
    (earlier(from), earlier(to))
}

/// The days from one to another, both included.
pub fn days(from: Date, to: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(from), |day| day.next_day()).take_while(move |day| *day <= to)
}

/// What people know of days with figures (`moved`: shop, day, when it last changed after it had passed), by when they were
/// first looked at after they had passed (`seen`). Days from `today` on still grow: nobody is surprised.
pub fn looks(
    seen: &[(Uuid, Date, OffsetDateTime)],
    moved: &[(Uuid, Date, Option<OffsetDateTime>)],
    today: Date,
) -> Looks {
    let first: HashMap<(Uuid, Date), OffsetDateTime> =
        seen.iter().map(|(shop, day, at)| ((*shop, *day), *at)).collect();
    let mut looks = Looks::default();
    for (shop, day, at) in moved {
        match (first.get(&(*shop, *day)), at) {
            (Some(first), Some(at)) if at > first => looks.changed += 1,
            (Some(_), _) => {}
            (None, _) if *day < today => looks.unseen.push((*shop, *day)),
            (None, _) => {}
        }
    }
    looks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_are_never_added() {
        let (eur, gbp) = ("EUR".to_owned(), "GBP".to_owned());
        assert_eq!(one_currency(&[], &[]), Ok(None));
        assert_eq!(one_currency(&[], std::slice::from_ref(&gbp)), Ok(Some(gbp.clone())));
        assert_eq!(one_currency(std::slice::from_ref(&eur), std::slice::from_ref(&gbp)), Ok(Some(eur.clone())));
        assert_eq!(one_currency(&[], &[eur.clone(), gbp.clone()]), Ok(None));
        assert!(one_currency(&[eur, gbp], &[]).is_err());
    }

    #[test]
    fn weekdays_stand_against_weekdays() {
        let day = |number| Date::from_julian_day(number).unwrap();
        assert_eq!(before(day(100), day(100)), (day(93), day(93)));
        assert_eq!(before(day(100), day(106)), (day(93), day(99)));
        assert_eq!(before(day(100), day(107)), (day(86), day(93)));
        assert_eq!(days(day(3), day(5)).collect::<Vec<_>>(), [day(3), day(4), day(5)]);
        assert_eq!(days(day(5), day(3)).count(), 0);
    }

    #[test]
    fn a_change_surprises_only_who_looked_before() {
        let day = |number| Date::from_julian_day(number).unwrap();
        let at = |second| OffsetDateTime::from_unix_timestamp(second).unwrap();
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let seen = [(one, day(1), at(10)), (one, day(2), at(10)), (two, day(3), at(10))];
        let moved = [
            (one, day(1), Some(at(11))),
            (one, day(2), Some(at(9))),
            (one, day(3), Some(at(99))),
            (two, day(3), None),
            (two, day(4), None),
        ];
        assert_eq!(looks(&seen, &moved, day(4)), Looks { changed: 1, unseen: vec![(one, day(3))] });
    }

    #[test]
    fn days_run_forward() {
        let day = |number| Date::from_julian_day(number).unwrap();
        assert!(Range::new(None, Some(day(9)), Some(day(9))).is_ok());
        assert!(Range::new(None, Some(day(9)), Some(day(8))).is_err());
        assert!(Range::new(None, None, Some(day(8))).is_ok());
    }
}
