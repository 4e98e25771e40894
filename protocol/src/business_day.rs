//! The shop's trading day: decided in the shop from its zone and cut-over hour, written into the event, never
//! derived at HQ from UTC. Days of a daylight-saving change have 23 or 25 hours; that is the zone's business.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::timestamp::Timestamp;

/// Version of the rule that turns a time into a business date; travels with each event.
pub const RULE_VERSION: u8 = 1;

/// A trading day. In JSON `YYYY-MM-DD`; in bytes days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusinessDate(Date);

/// Why a business date could not be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusinessDayError {
    /// The zone is not in the time zone database.
    #[error("{0:?} is not a time zone such as Europe/London")]
    UnknownZone(String),
    /// Not `HH:MM` before noon.
    #[error("{0:?} is not a start of day between 00:00 and 11:59 such as 04:00")]
    BadDayStart(String),
    /// Not a calendar date.
    #[error("{0:?} is not a date such as 2010-12-01")]
    BadDate(String),
    /// Beyond the years a calendar covers.
    #[error("the time lies outside the calendar")]
    OutOfRange,
}

impl BusinessDate {
    const EPOCH: Date = Date::constant(1970, 1, 1);

    /// The calendar date that names this trading day.
    pub const fn date(self) -> Date {
        self.0
    }

    /// From a calendar date.
    pub const fn from_date(date: Date) -> Self {
        Self(date)
    }

    /// Days since 1970-01-01.
    pub fn days(self) -> i32 {
        self.0.since((jiff::Unit::Day, Self::EPOCH)).map_or(0, |span| span.get_days())
    }

    /// From days since 1970-01-01.
    pub fn from_days(days: i32) -> Result<Self, BusinessDayError> {
        let span = jiff::Span::new().try_days(days).map_err(|_| BusinessDayError::OutOfRange)?;
        Self::EPOCH.checked_add(span).map(Self).map_err(|_| BusinessDayError::OutOfRange)
    }
}

impl FromStr for BusinessDate {
    type Err = BusinessDayError;
    fn from_str(text: &str) -> Result<Self, BusinessDayError> {
        let bad = || BusinessDayError::BadDate(text.to_owned());
        if text.len() != 10 {
            return Err(bad());
        }
        text.parse::<Date>().map(Self).map_err(|_| bad())
    }
}

impl fmt::Display for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for BusinessDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i32(self.days())
        }
    }
}

impl<'de> Deserialize<'de> for BusinessDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            return text.parse().map_err(serde::de::Error::custom);
        }
        Self::from_days(i32::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// How a shop counts its days: zone and the time of day at which a new trading day begins.
#[derive(Clone, Debug)]
pub struct DayRule {
    zone: TimeZone,
    zone_name: String,
    starts: Time,
    starts_minutes: u16,
}

impl DayRule {
    /// A rule from an IANA zone name and a start of day such as `04:00` (before noon).
    pub fn new(zone: &str, day_starts: &str) -> Result<Self, BusinessDayError> {
        let bad = || BusinessDayError::BadDayStart(day_starts.to_owned());
        let &[h1, h2, b':', m1, m2] = day_starts.as_bytes() else { return Err(bad()) };
        let number = |tens: u8, ones: u8| {
            let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
            digits.then(|| u16::from(tens - b'0') * 10 + u16::from(ones - b'0')).ok_or_else(bad)
        };
        let (hours, minutes) = (number(h1, h2)?, number(m1, m2)?);
        if hours >= 12 || minutes >= 60 {
            return Err(bad());
        }
        Self::from_minutes(zone, hours * 60 + minutes)
    }

    /// The same from minutes after midnight (under 720).
    pub fn from_minutes(zone: &str, starts_minutes: u16) -> Result<Self, BusinessDayError> {
        let bad = || BusinessDayError::BadDayStart(format!("{starts_minutes} minutes"));
        let hour = i8::try_from(starts_minutes / 60).map_err(|_| bad())?;
        let minute = i8::try_from(starts_minutes % 60).map_err(|_| bad())?;
        if hour >= 12 {
            return Err(bad());
        }
        let starts = Time::new(hour, minute, 0, 0).map_err(|_| bad())?;
        let unknown = || BusinessDayError::UnknownZone(zone.to_owned());
        let found = TimeZone::get(zone).map_err(|_| unknown())?;
        if found.is_unknown() {
            return Err(unknown());
        }
        let zone_name = found.iana_name().ok_or_else(unknown)?.to_owned();
        Ok(Self { zone: found, zone_name, starts, starts_minutes })
    }

    /// The zone's IANA name.
    pub fn zone_name(&self) -> &str {
        &self.zone_name
    }

    /// Minutes after midnight at which the trading day begins.
    pub const fn starts_minutes(&self) -> u16 {
        self.starts_minutes
    }

    /// The trading day that `at` belongs to: a day begins when the clock on the shop's wall first shows its
    /// date at the start of day or later, and ends when the next one begins. Where the clocks go back over
    /// the start of day, the day that has begun stays; days never run backwards.
    pub fn date_of(&self, at: Timestamp) -> Result<BusinessDate, BusinessDayError> {
        let out = |_| BusinessDayError::OutOfRange;
        let wall = self.wall(at)?;
        let shown = if wall.time() >= self.starts { wall.date() } else { wall.date().yesterday().map_err(out)? };
        let next = shown.tomorrow().map_err(out)?;
        // Of a time that comes twice `moment` names the first: has the next day's start struck before?
        if self.moment(next.to_datetime(self.starts))? <= at {
            return Ok(BusinessDate(next));
        }
        Ok(BusinessDate(shown))
    }

    /// The trading day of a time on the shop's wall clock (a paper receipt knows no other). A time that came
    /// twice counts as its first coming, one that the clocks skipped as [`Self::moment`] tells it.
    pub fn date_of_wall(&self, wall: DateTime) -> Result<BusinessDate, BusinessDayError> {
        self.date_of(self.moment(wall)?)
    }

    /// What the clock on the shop's wall shows at `at`.
    pub fn wall(&self, at: Timestamp) -> Result<DateTime, BusinessDayError> {
        let at = jiff::Timestamp::from_millisecond(at.0).map_err(|_| BusinessDayError::OutOfRange)?;
        Ok(at.to_zoned(self.zone.clone()).datetime())
    }

    /// The moment a wall-clock time names; in the hour that a daylight-saving change skips or repeats, the
    /// offset before the change counts.
    pub fn moment(&self, wall: DateTime) -> Result<Timestamp, BusinessDayError> {
        let zoned = self.zone.to_ambiguous_zoned(wall).compatible().map_err(|_| BusinessDayError::OutOfRange)?;
        Ok(Timestamp(zoned.timestamp().as_millisecond()))
    }
}
