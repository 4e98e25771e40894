//! The trading day in real zones: cut-over hours, hours that come twice or never, and that days never run backwards.
#![allow(clippy::unwrap_used, reason = "a test that stops at the first surprise")]

use jiff::civil::DateTime;
use proptest::prelude::*;
use protocol::business_day::{BusinessDate, BusinessDayError, DayRule};
use protocol::timestamp::Timestamp;

fn at(utc: &str) -> Timestamp {
    Timestamp(utc.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn day(zone: &str, starts: &str, utc: &str) -> String {
    DayRule::new(zone, starts).unwrap().date_of(at(utc)).unwrap().to_string()
}

#[test]
fn instants_of_many_zones_fall_on_their_day() {
    let cases = [
        // A shop that closes at midnight.
        ("Europe/London", "00:00", "2010-12-01T08:26:00Z", "2010-12-01"),
        ("Europe/London", "00:00", "2010-12-01T23:59:59.999Z", "2010-12-01"),
        ("Europe/London", "00:00", "2010-12-02T00:00:00Z", "2010-12-02"),
        // In summer midnight comes an hour earlier by UTC.
        ("Europe/London", "00:00", "2011-07-01T22:59:59Z", "2011-07-01"),
        ("Europe/London", "00:00", "2011-07-01T23:00:00Z", "2011-07-02"),
        // A bar that closes at four.
        ("Europe/London", "04:00", "2011-07-02T02:59:59Z", "2011-07-01"),
        ("Europe/London", "04:00", "2011-07-02T03:00:00Z", "2011-07-02"),
        ("Europe/London", "04:30", "2011-01-01T04:29:59Z", "2010-12-31"),
        // Far from UTC on either side.
        ("Asia/Phnom_Penh", "00:00", "2026-02-28T16:59:59Z", "2026-02-28"),
        ("Asia/Phnom_Penh", "00:00", "2026-02-28T17:00:00Z", "2026-03-01"),
        ("Asia/Phnom_Penh", "05:00", "2026-02-28T21:59:59Z", "2026-02-28"),
        ("Asia/Phnom_Penh", "05:00", "2026-02-28T22:00:00Z", "2026-03-01"),
        ("Asia/Kathmandu", "00:00", "2026-05-01T18:14:59Z", "2026-05-01"),
        ("Asia/Kathmandu", "00:00", "2026-05-01T18:15:00Z", "2026-05-02"),
        ("Pacific/Kiritimati", "00:00", "2026-01-01T09:59:59Z", "2026-01-01"),
        ("Pacific/Kiritimati", "00:00", "2026-01-01T10:00:00Z", "2026-01-02"),
        ("Pacific/Pago_Pago", "03:00", "2026-01-02T13:59:59Z", "2026-01-01"),
        ("Pacific/Pago_Pago", "03:00", "2026-01-02T14:00:00Z", "2026-01-02"),
        ("UTC", "11:59", "2024-02-29T11:58:59Z", "2024-02-28"),
        ("UTC", "11:59", "2024-03-01T11:58:59Z", "2024-02-29"),
        // Before 1970 as well.
        ("Europe/London", "04:00", "1969-12-31T23:00:00Z", "1969-12-31"),
    ];
    for (zone, starts, utc, date) in cases {
        assert_eq!(day(zone, starts, utc), date, "{zone} from {starts}: {utc}");
    }
}

#[test]
fn days_that_the_clocks_cut_short_or_stretch() {
    let cases = [
        // New York, 14 March 2027: 02:00 EST -> 03:00 EDT. A start of 02:30 never shows; 03:00 is the first
        // time at or after it.
        ("America/New_York", "02:30", "2027-03-14T06:59:59Z", "2027-03-13"),
        ("America/New_York", "02:30", "2027-03-14T07:00:00Z", "2027-03-14"),
        ("America/New_York", "04:00", "2027-03-14T07:59:59Z", "2027-03-13"),
        ("America/New_York", "04:00", "2027-03-14T08:00:00Z", "2027-03-14"),
        // New York, 7 November 2027: 02:00 EDT -> 01:00 EST. 01:30 strikes twice; the first time counts and the
        // day that has begun stays.
        ("America/New_York", "01:30", "2027-11-07T05:29:59Z", "2027-11-06"),
        ("America/New_York", "01:30", "2027-11-07T05:30:00Z", "2027-11-07"),
        ("America/New_York", "01:30", "2027-11-07T06:00:00Z", "2027-11-07"),
        ("America/New_York", "01:30", "2027-11-07T06:29:59Z", "2027-11-07"),
        ("America/New_York", "01:30", "2027-11-07T06:30:00Z", "2027-11-07"),
        // London, 31 October 2027: 02:00 BST -> 01:00 GMT.
        ("Europe/London", "01:30", "2027-10-31T00:29:59Z", "2027-10-30"),
        ("Europe/London", "01:30", "2027-10-31T00:30:00Z", "2027-10-31"),
        ("Europe/London", "01:30", "2027-10-31T01:15:00Z", "2027-10-31"),
        ("Europe/London", "04:00", "2027-10-31T03:59:59Z", "2027-10-30"),
        ("Europe/London", "04:00", "2027-10-31T04:00:00Z", "2027-10-31"),
        // London, 28 March 2027: 01:00 GMT -> 02:00 BST.
        ("Europe/London", "01:30", "2027-03-28T00:59:59Z", "2027-03-27"),
        ("Europe/London", "01:30", "2027-03-28T01:00:00Z", "2027-03-28"),
        // Lord Howe moves by half an hour: 4 April 2027, 02:00 +11 -> 01:30 +10:30.
        ("Australia/Lord_Howe", "01:45", "2027-04-03T14:44:59Z", "2027-04-03"),
        ("Australia/Lord_Howe", "01:45", "2027-04-03T14:45:00Z", "2027-04-04"),
        ("Australia/Lord_Howe", "01:45", "2027-04-03T15:00:00Z", "2027-04-04"),
        ("Australia/Lord_Howe", "01:45", "2027-04-03T15:14:59Z", "2027-04-04"),
        // And 3 October 2027, 02:00 +10:30 -> 02:30 +11.
        ("Australia/Lord_Howe", "02:15", "2027-10-02T15:29:59Z", "2027-10-02"),
        ("Australia/Lord_Howe", "02:15", "2027-10-02T15:30:00Z", "2027-10-03"),
        // Havana falls back over midnight: 7 November 2027, 01:00 CDT -> 00:00 CST.
        ("America/Havana", "00:00", "2027-11-07T03:59:59Z", "2027-11-06"),
        ("America/Havana", "00:00", "2027-11-07T04:00:00Z", "2027-11-07"),
        ("America/Havana", "00:30", "2027-11-07T05:15:00Z", "2027-11-07"),
        // The Azores fall back into the day before: 31 October 2027, 01:00 +0 -> 00:00 -1.
        ("Atlantic/Azores", "00:15", "2027-10-31T00:14:59Z", "2027-10-30"),
        ("Atlantic/Azores", "00:15", "2027-10-31T00:15:00Z", "2027-10-31"),
        ("Atlantic/Azores", "00:15", "2027-10-31T01:05:00Z", "2027-10-31"),
        // Samoa had no 30 December 2011.
        ("Pacific/Apia", "00:00", "2011-12-30T09:59:59Z", "2011-12-29"),
        ("Pacific/Apia", "00:00", "2011-12-30T10:00:00Z", "2011-12-31"),
    ];
    for (zone, starts, utc, date) in cases {
        assert_eq!(day(zone, starts, utc), date, "{zone} from {starts}: {utc}");
    }
}

#[test]
fn paper_knows_the_wall_clock_only() {
    let cases = [
        ("Europe/London", "04:00", "2010-12-01T08:26", "2010-12-01"),
        ("Europe/London", "04:00", "2010-12-01T03:59", "2010-11-30"),
        ("Europe/London", "00:00", "2011-03-01T00:00", "2011-03-01"),
        // Twice: the first time counts.
        ("America/New_York", "01:30", "2027-11-07T01:15", "2027-11-06"),
        ("America/New_York", "01:30", "2027-11-07T01:45", "2027-11-07"),
        // Never: read on past the gap.
        ("America/New_York", "02:30", "2027-03-14T02:15", "2027-03-14"),
    ];
    for (zone, starts, wall, date) in cases {
        let rule = DayRule::new(zone, starts).unwrap();
        let wall: DateTime = wall.parse().unwrap();
        assert_eq!(rule.date_of_wall(wall).unwrap().to_string(), date, "{zone} from {starts}: {wall}");
    }
    let rule = DayRule::new("Europe/London", "04:00").unwrap();
    assert_eq!(rule.moment("2011-07-01T12:00".parse().unwrap()).unwrap(), at("2011-07-01T11:00:00Z"));
    assert_eq!(rule.moment("2027-10-31T01:30".parse().unwrap()).unwrap(), at("2027-10-31T00:30:00Z"));
}

#[test]
fn rules_and_dates_that_cannot_be_are_refused() {
    for starts in
        ["", "4:00", "04:0", "0400", "12:00", "23:30", "04:60", "+4:00", "-1:00", "04:00:00", " 4:00", "a4:00"]
    {
        assert!(matches!(DayRule::new("Europe/London", starts), Err(BusinessDayError::BadDayStart(_))), "{starts:?}");
    }
    for zone in ["", "Mars/Olympus", "Etc/Unknown", "Europe", "../etc/passwd", "Europe/London\0", "+01:00"] {
        assert!(matches!(DayRule::new(zone, "04:00"), Err(BusinessDayError::UnknownZone(_))), "{zone:?}");
    }
    assert!(DayRule::from_minutes("UTC", 719).is_ok());
    assert!(DayRule::from_minutes("UTC", 720).is_err());
    assert!(DayRule::from_minutes("UTC", u16::MAX).is_err());
    assert_eq!(DayRule::new("europe/london", "04:00").unwrap().zone_name(), "Europe/London");
    for date in [
        "",
        "2010-13-01",
        "2011-02-29",
        "20101201",
        "2010-12-1",
        "1-12-2010",
        "2010-W48-3",
        "2010-12-01T",
        "2010/12/01",
    ] {
        assert!(matches!(date.parse::<BusinessDate>(), Err(BusinessDayError::BadDate(_))), "{date:?}");
    }
    assert!(BusinessDate::from_days(i32::MAX).is_err());
    assert!(BusinessDate::from_days(i32::MIN).is_err());
    let rule = DayRule::new("Pacific/Kiritimati", "04:00").unwrap();
    assert_eq!(rule.date_of(Timestamp(i64::MAX)), Err(BusinessDayError::OutOfRange));
    assert_eq!(rule.date_of(Timestamp(i64::MIN)), Err(BusinessDayError::OutOfRange));
}

proptest! {
    /// A day once begun stays until the next one begins, whatever the clocks do.
    #[test]
    fn days_never_run_backwards(
        zone in prop::sample::select(vec![
            "Europe/London", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Atlantic/Azores",
            "Asia/Phnom_Penh", "Asia/Gaza", "America/Asuncion", "Africa/Casablanca", "Antarctica/Troll",
        ]),
        starts in 0..720_u16,
        start in 0..1_900_000_000_000_i64,
    ) {
        let rule = DayRule::from_minutes(zone, starts).unwrap();
        let mut last = rule.date_of(Timestamp(start)).unwrap();
        for quarter in 1..(4 * 24 * 3) {
            let now = Timestamp(start).plus_millis(quarter * 15 * 60 * 1_000);
            let date = rule.date_of(now).unwrap();
            prop_assert!(date >= last, "{last} before {date} at {now}");
            prop_assert!(date.days() - last.days() <= 1);
            last = date;
        }
    }

    #[test]
    fn a_date_survives_text_json_and_bytes(days in -300_000..2_900_000_i32) {
        let date = BusinessDate::from_days(days).unwrap();
        prop_assert_eq!(date.days(), days);
        let json = serde_json::to_string(&date).unwrap();
        if date.date().year() >= 0 {
            prop_assert_eq!(date.to_string().parse::<BusinessDate>(), Ok(date));
            prop_assert_eq!(serde_json::from_str::<BusinessDate>(&json).unwrap(), date);
        }
        let bytes = postcard::to_stdvec(&date).unwrap();
        prop_assert_eq!(postcard::from_bytes::<BusinessDate>(&bytes).unwrap(), date);
    }
}
