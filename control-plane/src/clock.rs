//! The one door to the time of day. Decisions get the time as an argument; whoever calls them reads it here.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::timestamp::Timestamp;
use time::OffsetDateTime;

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that tests move by hand; milliseconds since the Unix epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `start` until it is moved.
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
            Self::Manual(at) => Timestamp(at.load(Ordering::SeqCst)),
        }
    }

    /// The time now, as the database writes it (UTC).
    pub fn utc(&self) -> OffsetDateTime {
        utc(self.now())
    }

    /// Moves a manual clock; the machine's clock is left alone.
    pub fn advance_millis(&self, millis: i64) {
        match self {
            Self::System => {}
            Self::Manual(at) => {
                at.fetch_add(millis, Ordering::SeqCst);
            }
        }
    }
}

/// A point in time as the database writes it (UTC). Points outside its calendar become the epoch.
pub fn utc(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A point in time that came from the database, in whole milliseconds.
pub fn timestamp(at: OffsetDateTime) -> Timestamp {
    Timestamp(i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_until_it_is_moved() {
        let clock = Clock::manual(Timestamp(1_000));
        assert_eq!(clock.now(), Timestamp(1_000));
        clock.advance_millis(250);
        assert_eq!(clock.clone().now(), Timestamp(1_250));
        assert_eq!(timestamp(clock.utc()), Timestamp(1_250));
    }
}
