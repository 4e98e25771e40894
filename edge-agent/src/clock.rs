//! The one door to the time of day. Decisions take a [`Timestamp`] as an argument; shells ask here.
//! Knows nothing of what the time is used for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::timestamp::Timestamp;

/// Where the time of day comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's own clock.
    #[default]
    System,
    /// A clock that a test moves by hand: milliseconds since the Unix epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `start` until [`Self::advance_millis`] moves it. Clones share their hands.
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.0)))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Manual(hands) => Timestamp(hands.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock; the machine's own clock is left alone.
    pub fn advance_millis(&self, millis: i64) {
        if let Self::Manual(hands) = self {
            hands.fetch_add(millis, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_until_it_is_moved_and_its_clones_move_along() {
        let clock = Clock::manual(Timestamp(1_000));
        let other = clock.clone();
        clock.advance_millis(500);
        assert_eq!(other.now(), Timestamp(1_500));
        assert!(Clock::System.now() > Timestamp(1_500_000_000_000));
    }
}
