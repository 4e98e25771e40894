//! Figures, dates and times as people read them. For templates: `{{ format::money(row.total_minor, row.currency) }}`
//! with `use crate::web::format;` beside the template's struct. Pure.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use protocol::money::{Currency, decimal_text};
use time::OffsetDateTime;

/// A whole number, however a template hands it over (fields come as references).
pub trait Whole {
    /// The number.
    fn whole(&self) -> i64;
}

macro_rules! whole {
    ($($kind:ty),*) => { $(impl Whole for $kind {
        fn whole(&self) -> i64 { i64::try_from(*self).unwrap_or(i64::MAX) }
    })* };
}
whole!(i64, u64, i32, u32, i16, u16, usize);

impl<T: Whole + ?Sized> Whole for &T {
    fn whole(&self) -> i64 {
        (**self).whole()
    }
}

/// A point in time, however a template hands it over.
pub trait Moment {
    /// The point.
    fn at(&self) -> OffsetDateTime;
}

impl Moment for OffsetDateTime {
    fn at(&self) -> OffsetDateTime {
        *self
    }
}

impl<T: Moment + ?Sized> Moment for &T {
    fn at(&self) -> OffsetDateTime {
        (**self).at()
    }
}

/// Groups the digits before the point by thousands; the sign becomes a real minus.
fn grouped(decimal: &str) -> String {
    let (sign, digits) = decimal.strip_prefix('-').map_or(("", decimal), |rest| ("\u{2212}", rest));
    let (whole, rest) = digits.find('.').map_or((digits, ""), |point| digits.split_at(point));
    let mut out = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(rest);
    out
}

/// An amount with its currency: `£1,234.50`, `−€3.00`, `1,200 KHR`.
pub fn money(minor: impl Whole, currency: impl AsRef<str>) -> String {
    let minor = minor.whole();
    let code = currency.as_ref();
    let exponent = code.parse::<Currency>().map_or(2, |currency| currency.exponent());
    let text = grouped(&decimal_text(minor, exponent));
    let sign = match code {
        "GBP" => "£",
        "EUR" => "€",
        "USD" => "$",
        "" => return text,
        other => return format!("{text}\u{a0}{other}"),
    };
    text.strip_prefix('\u{2212}').map_or_else(|| format!("{sign}{text}"), |size| format!("\u{2212}{sign}{size}"))
}

/// A decimal that the API writes as text (a quantity, a unit price), grouped, without zeros that say nothing:
/// `1250.000` is `1,250`.
pub fn decimal(text: impl AsRef<str>) -> String {
    let text = text.as_ref();
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    grouped(short)
}

/// A unit price with its currency, at least with the currency's own decimals: `2.5500` is `£2.55`, `0.1250` is `£0.125`.
pub fn price(text: impl AsRef<str>, currency: impl AsRef<str>) -> String {
    let code = currency.as_ref();
    let least = code.parse::<Currency>().map_or(2, |currency| currency.exponent() as usize);
    let short = decimal(text);
    let decimals = short.find('.').map_or(0, |point| short.len() - point - 1);
    let mut number = short;
    if decimals < least {
        if decimals == 0 {
            number.push('.');
        }
        number.push_str(&"0".repeat(least - decimals));
    }
    let (minus, size) = number.strip_prefix('\u{2212}').map_or(("", number.as_str()), |size| ("\u{2212}", size));
    match code {
        "GBP" => format!("{minus}£{size}"),
        "EUR" => format!("{minus}€{size}"),
        "USD" => format!("{minus}${size}"),
        "" => number,
        other => format!("{minus}{size}\u{a0}{other}"),
    }
}

/// A count: `12,345`.
pub fn count(number: impl Whole) -> String {
    grouped(&number.whole().to_string())
}

/// A tax rate in millionths: `20 %`, `5.5 %`.
pub fn rate(ppm: impl Whole) -> String {
    format!("{}\u{a0}%", decimal(decimal_text(ppm.whole(), 4)))
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn month(date: Date) -> &'static str {
    usize::try_from(date.month() - 1).ok().and_then(|index| MONTHS.get(index)).copied().unwrap_or("?")
}

/// A trading day such as `2010-12-01`: `Wed 1 Dec 2010`. What is no date stays as it is.
pub fn day(text: impl AsRef<str>) -> String {
    let Ok(date) = text.as_ref().parse::<Date>() else { return text.as_ref().to_owned() };
    let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).ok();
    let weekday = weekday.and_then(|index| DAYS.get(index)).copied().unwrap_or("?");
    format!("{weekday} {} {} {}", date.day(), month(date), date.year())
}

fn wall(at: OffsetDateTime, zone: &str) -> Option<jiff::Zoned> {
    let nanos = at.unix_timestamp_nanos();
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    jiff::Timestamp::from_nanosecond(nanos).ok().map(|at| at.to_zoned(zone))
}

/// The time on the wall of a shop: `14:05`. An unknown zone is UTC.
pub fn clock(at: impl Moment, zone: impl AsRef<str>) -> String {
    wall(at.at(), zone.as_ref()).map_or_else(String::new, |at| format!("{:02}:{:02}", at.hour(), at.minute()))
}

/// Day and time on the wall of a shop: `1 Dec 2010, 14:05`.
pub fn moment(at: impl Moment, zone: impl AsRef<str>) -> String {
    wall(at.at(), zone.as_ref()).map_or_else(String::new, |at| {
        let date = at.date();
        format!("{} {} {}, {:02}:{:02}", date.day(), month(date), date.year(), at.hour(), at.minute())
    })
}

/// A point in time for `<time datetime>`.
pub fn iso(at: impl Moment) -> String {
    at.at().format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

/// How long ago: `just now`, `3 min ago`, `2 days ago`. The future is `just now`: clocks differ a little.
pub fn ago(at: impl Moment, now: impl Moment) -> String {
    let seconds = (now.at() - at.at()).whole_seconds();
    match seconds {
        ..45 => "just now".to_owned(),
        45..3_600 => format!("{}\u{a0}min ago", (seconds + 30) / 60),
        3_600..86_400 => format!("{}\u{a0}h ago", seconds / 3_600),
        86_400..172_800 => "yesterday".to_owned(),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_well_in_every_currency() {
        assert_eq!(money(123_456_789, "GBP"), "£1,234,567.89");
        assert_eq!(money(-300, "EUR"), "\u{2212}€3.00");
        assert_eq!(money(0, "USD"), "$0.00");
        assert_eq!(money(1_200, "JPY"), "1,200\u{a0}JPY");
        assert_eq!(money(5, ""), "0.05");
    }

    #[test]
    fn decimals_lose_only_what_says_nothing() {
        assert_eq!(decimal("1250.000"), "1,250");
        assert_eq!(decimal("-0.500"), "\u{2212}0.5");
        assert_eq!(decimal("100"), "100");
        assert_eq!(price("2.5500", "GBP"), "£2.55");
        assert_eq!(price("0.1250", "GBP"), "£0.125");
        assert_eq!(price("-3", "EUR"), "\u{2212}€3.00");
        assert_eq!(price("1200", "JPY"), "1,200\u{a0}JPY");
        assert_eq!(rate(200_000), "20\u{a0}%");
        assert_eq!(rate(55_000), "5.5\u{a0}%");
        assert_eq!(count(-1_234_i64), "\u{2212}1,234");
    }

    #[test]
    fn days_and_times_are_those_of_the_shop() {
        assert_eq!(day("2010-12-01"), "Wed 1 Dec 2010");
        assert_eq!(day("<b>"), "<b>");
        let at = OffsetDateTime::from_unix_timestamp(1_291_191_960).unwrap();
        assert_eq!(clock(at, "Europe/London"), "08:26");
        assert_eq!(moment(at, "Asia/Phnom_Penh"), "1 Dec 2010, 15:26");
        assert_eq!(clock(at, "Nowhere/At_All"), "08:26");
        assert_eq!(ago(at, at + time::Duration::minutes(3)), "3\u{a0}min ago");
        assert_eq!(ago(at + time::Duration::minutes(3), at), "just now");
        assert_eq!(ago(at, at + time::Duration::days(2)), "2 days ago");
    }
}
