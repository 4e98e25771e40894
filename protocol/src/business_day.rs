//! The shop's trading day: decided in the shop from its zone and cut-over hour, written into the event, never
//! derived at HQ from UTC. Days of a daylight-saving change have 23 or 25 hours; that is the zone's business.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
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
    starts_minutes: u16,
}

impl DayRule {
    /// A rule from an IANA zone name and a start of day such as `04:00` (before noon).
    pub fn new(zone: &str, day_starts: &str) -> Result<Self, BusinessDayError> {
        let bad = || BusinessDayError::BadDayStart(day_starts.to_owned());
        let (hours, minutes) = day_starts.split_once(':').ok_or_else(bad)?;
        let (hours, minutes): (u16, u16) = (hours.parse().map_err(|_| bad())?, minutes.parse().map_err(|_| bad())?);
        if hours >= 12 || minutes >= 60 {
            return Err(bad());
        }
        Self::from_minutes(zone, hours * 60 + minutes)
    }

    /// The same from minutes after midnight (under 720).
    pub fn from_minutes(zone: &str, starts_minutes: u16) -> Result<Self, BusinessDayError> {
        if starts_minutes >= 720 {
            return Err(BusinessDayError::BadDayStart(format!("{starts_minutes} minutes")));
        }
        let found = TimeZone::get(zone).map_err(|_| BusinessDayError::UnknownZone(zone.to_owned()))?;
        Ok(Self { zone: found, zone_name: zone.to_owned(), starts_minutes })
    }

    /// The zone's IANA name.
    pub fn zone_name(&self) -> &str {
        &self.zone_name
    }

    /// Minutes after midnight at which the trading day begins.
    pub const fn starts_minutes(&self) -> u16 {
        self.starts_minutes
    }

    /// The trading day that `at` belongs to: by the clock on the shop's wall, the day before until the
    /// start of day has struck.
    pub fn date_of(&self, at: Timestamp) -> Result<BusinessDate, BusinessDayError> {
        self.date_of_wall(self.wall(at)?)
    }

    /// The trading day of a time on the shop's wall clock (a paper receipt knows no other).
    pub fn date_of_wall(&self, wall: DateTime) -> Result<BusinessDate, BusinessDayError> {
        let minutes = u16::try_from(i16::from(wall.hour()) * 60 + i16::from(wall.minute())).unwrap_or(0);
        if minutes >= self.starts_minutes {
            return Ok(BusinessDate(wall.date()));
        }
        wall.date().yesterday().map(BusinessDate).map_err(|_| BusinessDayError::OutOfRange)
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
