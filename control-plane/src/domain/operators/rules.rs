//! Decisions about visits. Pure.

use protocol::timestamp::Timestamp;

use super::types::VisitState;

/// Minutes that a visit may last.
pub const MINUTES: std::ops::RangeInclusive<i16> = 5..=60;
/// How long an ask waits for its answer, in milliseconds.
pub const ASK_MILLIS: i64 = 24 * 3_600 * 1_000;

/// What is on record about a visit.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The company's answer.
    pub allowed: Option<bool>,
    /// Until when it may be answered.
    pub ask_ends: Timestamp,
    /// Until when it lasts, once allowed.
    pub ends: Option<Timestamp>,
    /// Whether somebody ended it.
    pub ended: bool,
}

/// How a visit stands.
pub fn state(times: Times, now: Timestamp) -> VisitState {
    match (times.allowed, times.ended) {
        (Some(false), _) => VisitState::Refused,
        (None, true) => VisitState::Ended,
        (None, false) if times.ask_ends <= now => VisitState::Lapsed,
        (None, false) => VisitState::Asked,
        (Some(true), true) => VisitState::Ended,
        (Some(true), false) if times.ends.is_none_or(|ends| ends <= now) => VisitState::Ended,
        (Some(true), false) => VisitState::Open,
    }
}

/// The host of an address.
pub fn host_of(address: &str) -> String {
    address.rsplit_once('@').map_or_else(String::new, |(_, host)| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_ends_by_the_clock_by_a_word_and_for_want_of_an_answer() {
        let now = Timestamp(1_000);
        let of = |allowed, ask_ends: i64, ends: Option<i64>, ended| {
            state(Times { allowed, ask_ends: Timestamp(ask_ends), ends: ends.map(Timestamp), ended }, now)
        };
        assert_eq!(of(None, 1_001, None, false), VisitState::Asked);
        assert_eq!(of(None, 1_000, None, false), VisitState::Lapsed);
        assert_eq!(of(None, 9_000, None, true), VisitState::Ended);
        assert_eq!(of(Some(false), 9_000, None, true), VisitState::Refused);
        assert_eq!(of(Some(true), 0, Some(1_001), false), VisitState::Open);
        assert_eq!(of(Some(true), 0, Some(1_000), false), VisitState::Ended);
        assert_eq!(of(Some(true), 0, Some(9_000), true), VisitState::Ended);
        assert_eq!(host_of("a@b.example"), "b.example");
    }
}
