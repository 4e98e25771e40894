//! How a range of days is put together from sums over a year so far and single days, so that little is read. Pure.

use time::{Date, Duration, Month};

/// Rows of a sum over a year so far are about those of so many days: every product of the shop, once.
const HEAD_DAYS: i64 = 4;
/// Below so many days a range is simply added up: nothing is gained.
pub const PLAIN_DAYS: i64 = 40;

/// What to add (sign 1) and what to take away (sign -1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Sums from the first of January up to this day.
    pub heads: Vec<(Date, i32)>,
    /// Days from one to another, both included.
    pub days: Vec<(Date, Date, i32)>,
}

impl Parts {
    /// The days alone.
    pub fn plain(from: Date, to: Date) -> Self {
        Self { heads: Vec::new(), days: vec![(from, to, 1)] }
    }

    /// The range `from..=to` out of the sums that hold (`heads`, in any order), at least cost.
    pub fn of(from: Date, to: Date, heads: &[Date]) -> Self {
        let mut parts = Self::default();
        let mut first = from;
        while first <= to {
            let last = Date::from_calendar_date(first.year(), Month::December, 31).unwrap_or(to).min(to);
            parts.segment(first, last, heads);
            let Some(next) = last.next_day() else { break };
            first = next;
        }
        parts
    }

    /// A range within one year.
    fn segment(&mut self, first: Date, last: Date, heads: &[Date]) {
        let plain = (last - first).whole_days() + 1;
        let before = first.previous_day().filter(|day| day.year() == first.year());
        let start = before.map(|day| (day, Prefix::of(day, heads)));
        let end = Prefix::of(last, heads);
        if plain <= end.cost + start.as_ref().map_or(0, |(_, start)| start.cost) {
            self.days.push((first, last, 1));
            return;
        }
        end.into(last, 1, self);
        if let Some((day, start)) = start {
            start.into(day, -1, self);
        }
    }
}

/// The sum from the first of January up to a day: the sum that ends nearest, and the days between.
struct Prefix {
    head: Option<Date>,
    cost: i64,
}

impl Prefix {
    fn of(day: Date, heads: &[Date]) -> Self {
        let alone = Self { head: None, cost: i64::from(day.ordinal()) };
        let of_year = heads.iter().filter(|head| head.year() == day.year());
        let with = of_year.map(|head| Self { head: Some(*head), cost: (*head - day).whole_days().abs() + HEAD_DAYS });
        with.fold(alone, |best, other| if other.cost < best.cost { other } else { best })
    }

    fn into(self, day: Date, sign: i32, parts: &mut Parts) {
        let january = day.checked_sub(Duration::days(i64::from(day.ordinal()) - 1)).unwrap_or(day);
        let after = |head: Date| head.next_day().unwrap_or(head);
        match self.head {
            None => parts.days.push((january, day, sign)),
            Some(head) => {
                parts.heads.push((head, sign));
                if head < day {
                    parts.days.push((after(head), day, sign));
                } else if head > day {
                    parts.days.push((after(day), head, -sign));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use time::macros::date;

    use super::*;

    fn months(years: std::ops::RangeInclusive<i32>) -> Vec<Date> {
        let first = years.flat_map(|year| (1..=12).map(move |month: u8| (year, Month::try_from(month).unwrap())));
        first.map(|(year, month)| Date::from_calendar_date(year, month, month.length(year)).unwrap()).collect()
    }

    /// How often each day is counted.
    fn counted(parts: &Parts) -> BTreeMap<Date, i32> {
        let mut days: BTreeMap<Date, i32> = BTreeMap::new();
        let heads = parts.heads.iter().map(|(head, sign)| (head.replace_ordinal(1).unwrap(), *head, *sign));
        for (from, to, sign) in heads.chain(parts.days.iter().copied()) {
            assert!(from <= to, "{parts:?}");
            for day in super::super::rules::days(from, to) {
                *days.entry(day).or_default() += sign;
            }
        }
        days.retain(|_, times| *times != 0);
        days
    }

    #[test]
    fn a_year_is_the_year_before_less_its_beginning_and_a_few_days() {
        let parts = Parts::of(date!(2010 - 01 - 11), date!(2011 - 01 - 10), &months(2010..=2010));
        assert_eq!(parts.heads, [(date!(2010 - 12 - 31), 1)]);
        let (less, more) =
            ((date!(2010 - 01 - 01), date!(2010 - 01 - 10), -1), (date!(2011 - 01 - 01), date!(2011 - 01 - 10), 1));
        assert_eq!(parts.days, [less, more]);
        assert_eq!(Parts::of(date!(2010 - 03 - 05), date!(2010 - 03 - 11), &months(2010..=2010)).heads, []);
        assert_eq!(Parts::of(date!(2010 - 01 - 11), date!(2011 - 01 - 10), &[]).heads, [], "nothing made yet");
    }

    proptest! {
        #[test]
        fn every_day_counts_once_and_little_is_read(
            start in 0_i64..1_500, length in 0_i64..1_200, gaps in proptest::collection::vec(any::<bool>(), 96),
        ) {
            let from = date!(2008 - 01 - 01) + Duration::days(start);
            let to = from + Duration::days(length);
            let all = months(2008..=2015);
            let some: Vec<Date> = all.iter().zip(gaps).filter(|(_, here)| *here).map(|(head, _)| *head).collect();
            for heads in [&all, &some] {
                let parts = Parts::of(from, to, heads);
                let days = counted(&parts);
                prop_assert!(days.values().all(|times| *times == 1), "{parts:?}");
                prop_assert_eq!(days.keys().next().copied(), Some(from));
                prop_assert_eq!(days.keys().next_back().copied(), Some(to));
                prop_assert_eq!(i64::try_from(days.len()).unwrap(), length + 1);
            }
            let read: i64 = Parts::of(from, to, &all).days.iter().map(|(from, to, _)| (*to - *from).whole_days() + 1).sum();
            // Half a month at each end, and what it may cost to save a sum there.
            prop_assert!(read <= 40, "{read} days for {from}..{to}");
        }
    }
}
