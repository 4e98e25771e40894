//! Which days the page of a shop shows, and their figures as a person reads them. Pure.

use protocol::limits;
use protocol::money::{Currency, div_round};
use protocol::timestamp::Timestamp;
use serde::Deserialize;
use time::{Date, Duration};

use super::service::today;
use super::types::Shop;
use crate::clock::utc;
use crate::domain::analytics::types::{ShopReport, Step};
use crate::web::format;

/// What the address asks for; a date that is none is as good as not said.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

/// A moment as the clock on the shop's wall had it; with the day, unless that is today.
pub(super) fn wall_text(shop: &Shop, at: Timestamp, now: Timestamp) -> String {
    let text = format::moment(utc(at), &shop.timezone);
    let (here, there) = (today(shop, now), today(shop, at));
    if here == there { format::clock(utc(at), &shop.timezone) } else { text }
}

fn day_of(text: &str) -> Option<Date> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let month = month.parse::<u8>().ok().and_then(|month| time::Month::try_from(month).ok())?;
    Date::from_calendar_date(year.parse().ok().filter(|year| (1970..=9_999).contains(year))?, month, day.parse().ok()?)
        .ok()
}

fn earlier(date: Date, days: i64) -> Date {
    date.checked_sub(Duration::days(days)).unwrap_or(date)
}

/// A link to a range of usual length.
pub(super) struct Tab {
    pub(super) label: &'static str,
    pub(super) from: Date,
    pub(super) to: Date,
    pub(super) current: bool,
}

/// The days that are shown.
pub(super) struct Days {
    pub(super) from: Date,
    pub(super) to: Date,
    pub(super) today: Date,
    /// The days before and after of the same length; none after today.
    pub(super) back: (Date, Date),
    pub(super) forth: Option<(Date, Date)>,
    pub(super) tabs: Vec<Tab>,
    /// Whether nobody asked and an earlier day than today is shown, because today has nothing yet.
    pub(super) instead: bool,
}

impl Days {
    /// As asked; otherwise today, or the last day that had any sale.
    pub(super) fn of(asked: &Asked, today: Date, last: Option<Date>) -> Self {
        let usual = last.filter(|last| *last < today).unwrap_or(today);
        let (from, to) = match (day_of(&asked.from), day_of(&asked.to)) {
            (Some(from), Some(to)) if from <= to => (from, to),
            (Some(from), Some(to)) => (to, from),
            (Some(day), None) | (None, Some(day)) => (day, day),
            (None, None) => (usual, usual),
        };
        let longest = i64::from(limits::RANGE_DAYS) - 1;
        let from = if (to - from).whole_days() > longest { earlier(to, longest) } else { from };
        let length = (to - from).whole_days() + 1;
        let forth = (earlier(from, -length), earlier(to, -length));
        let tab = |label, days: i64| {
            let start = earlier(to, days - 1);
            Tab { label, from: start, to, current: start == from }
        };
        Self {
            back: (earlier(from, length), earlier(to, length)),
            forth: (forth.0 <= today).then_some((forth.0, forth.1.min(today))),
            tabs: vec![tab("Day", 1), tab("7 days", 7), tab("28 days", 28), tab("Year", 365)],
            instead: usual < today && asked.from.is_empty() && asked.to.is_empty(),
            from,
            to,
            today,
        }
    }

    /// Whether it is one day.
    pub(super) fn single(&self) -> bool {
        self.from == self.to
    }

    /// The days in words.
    pub(super) fn text(&self) -> String {
        let day = |date: Date| format::day(date.to_string());
        if self.single() { day(self.from) } else { format!("{} to {}", day(self.from), day(self.to)) }
    }

    /// The days in few words, for the button that chooses others.
    pub(super) fn short(&self) -> String {
        if self.single() {
            return self.text();
        }
        let day = |date: Date| short_day(&date.to_string());
        let (first, last) = (self.from.year(), self.to.year());
        let first = if first == last { String::new() } else { format!(" {first}") };
        format!("{}{first} \u{2013} {} {last}", day(self.from), day(self.to))
    }

    /// What they are compared with, in words.
    pub(super) fn against(&self) -> String {
        if self.single() {
            format!("on {}", format::day(earlier(self.from, 7).to_string()))
        } else {
            "in the weeks before".to_owned()
        }
    }
}

/// How much more or less than before: words, and whether it is more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) text: String,
    pub(super) up: bool,
}

/// In whole percent; none when there is nothing to compare with.
pub(super) fn change(now: i64, before: i64) -> Option<Change> {
    if before <= 0 {
        return None;
    }
    let percent = div_round((i128::from(now) - i128::from(before)) * 100, i128::from(before));
    let up = percent >= 0;
    let size = percent.unsigned_abs();
    Some(Change { text: format!("{}{size}\u{a0}%", if up { "+" } else { "\u{2212}" }), up })
}

/// The figures at the top of the page.
pub(super) struct Tiles {
    pub(super) net: String,
    pub(super) net_before: String,
    pub(super) net_change: Option<Change>,
    pub(super) sales: i64,
    pub(super) sales_change: Option<Change>,
    pub(super) basket: String,
    pub(super) tax: String,
    pub(super) returned: String,
    pub(super) returns: i64,
}

impl Tiles {
    pub(super) fn of(report: &ShopReport, days: &Days, currency: &str) -> Self {
        let (now, before) = (&report.overview.figures, &report.before);
        let basket = match now.sales {
            0 => "\u{2013}".to_owned(),
            sales => {
                let exact = div_round(i128::from(now.gross_sales_minor), i128::from(sales));
                format::money(i64::try_from(exact).unwrap_or(i64::MAX), currency)
            }
        };
        Self {
            net: format::money(now.net_sales_minor, currency),
            net_before: format!("{} {}", format::money(before.net_sales_minor, currency), days.against()),
            net_change: change(now.net_sales_minor, before.net_sales_minor),
            sales: now.sales,
            sales_change: change(now.sales, before.sales),
            basket,
            tax: format::money(now.tax_minor, currency),
            returned: format::money(now.returns_minor, currency),
            returns: now.returns,
        }
    }
}

/// A row of the table behind the chart.
pub(super) struct Cell {
    pub(super) label: String,
    pub(super) now: String,
    pub(super) before: String,
    pub(super) sales: i64,
}

/// The chart, as its data attributes and as a table.
pub(super) struct Chart {
    pub(super) labels: String,
    pub(super) values: String,
    /// Blank when there is nothing to compare with.
    pub(super) before: String,
    pub(super) exponent: u32,
    pub(super) rows: Vec<Cell>,
}

impl Chart {
    /// Of a day the hours from the first to the last that had anything, of a range all days, or none.
    pub(super) fn of(report: &ShopReport, days: &Days, currency: &str) -> Self {
        let busy = |step: &Step| step.now.lines != 0 || step.before.lines != 0;
        let first = report.steps.iter().position(busy).unwrap_or(0);
        let last = report.steps.iter().rposition(busy).map_or(0, |last| last + 1);
        let narrowed = days.single() || last == 0;
        let shown = if narrowed { report.steps.get(first..last).unwrap_or_default() } else { &report.steps };
        let short = |step: &Step| if days.single() { step.label.clone() } else { short_day(&step.label) };
        let list = |values: Vec<i64>| serde_json::to_string(&values).unwrap_or_default();
        let labels: Vec<String> = shown.iter().map(short).collect();
        Self {
            labels: serde_json::to_string(&labels).unwrap_or_default(),
            values: list(shown.iter().map(|step| step.now.net_sales_minor).collect()),
            before: if shown.iter().any(|step| step.before.lines != 0) {
                list(shown.iter().map(|step| step.before.net_sales_minor).collect())
            } else {
                String::new()
            },
            exponent: currency.parse::<Currency>().map_or(2, |currency| currency.exponent()),
            rows: shown
                .iter()
                .map(|step| Cell {
                    label: if days.single() { step.label.clone() } else { format::day(&step.label) },
                    now: format::money(step.now.net_sales_minor, currency),
                    before: format::money(step.before.net_sales_minor, currency),
                    sales: step.now.sales,
                })
                .collect(),
        }
    }
}

/// `Wed 1 Dec 2010` as `1 Dec`.
fn short_day(date: &str) -> String {
    let text = format::day(date);
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        [_, day, month, _] => format!("{day} {month}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn asked(from: &str, to: &str) -> Asked {
        Asked { from: from.to_owned(), to: to.to_owned() }
    }

    #[test]
    fn days_are_as_asked_or_the_last_that_had_sales() {
        let today = date!(2011 - 01 - 10);
        let days = |from, to, last| Days::of(&asked(from, to), today, last);
        let usual = days("", "", Some(today));
        assert_eq!((usual.from, usual.to, usual.instead, usual.forth), (today, today, false, None));
        assert_eq!(usual.against(), "on Mon 3 Jan 2011");
        let before = days("", "", Some(date!(2011 - 01 - 08)));
        assert_eq!((before.from, before.instead), (date!(2011 - 01 - 08), true));
        assert_eq!(before.forth, Some((date!(2011 - 01 - 09), date!(2011 - 01 - 09))));
        let week = days("2011-01-04", "2011-01-10", None);
        assert_eq!(week.short(), "4 Jan \u{2013} 10 Jan 2011");
        assert_eq!(days("2010-12-31", "2011-01-10", None).short(), "31 Dec 2010 \u{2013} 10 Jan 2011");
        assert!(week.tabs[1].current && !week.single() && week.forth.is_none());
        assert_eq!(week.back, (date!(2010 - 12 - 28), date!(2011 - 01 - 03)));
        let turned = days("2011-01-09", "2011-01-02", None);
        assert_eq!((turned.from, turned.to), (date!(2011 - 01 - 02), date!(2011 - 01 - 09)));
        assert_eq!((days("x", "<script>", None).from, days("0000-00-00", "", None).to), (today, today));
        let long = days("1970-01-01", "2011-01-10", None);
        assert_eq!((long.to - long.from).whole_days(), i64::from(limits::RANGE_DAYS) - 1);
        assert_eq!(days("9999-12-31", "9999-12-31", None).forth, None);
    }

    #[test]
    fn a_change_is_told_only_against_something() {
        assert_eq!(change(112, 100).map(|c| (c.text, c.up)), Some(("+12\u{a0}%".to_owned(), true)));
        assert_eq!(change(50, 100).map(|c| (c.text, c.up)), Some(("\u{2212}50\u{a0}%".to_owned(), false)));
        assert_eq!(change(5, 0), None);
        assert!(change(i64::MIN, 1).is_some() && change(i64::MAX, 1).is_some());
    }
}
