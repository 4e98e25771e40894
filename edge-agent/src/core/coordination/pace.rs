//! How often a lane may ask: a few times at once, then at a steady pace. Time is an argument.

use std::time::Duration;

use protocol::limits;

/// One more in so long.
const EVERY: Duration = Duration::from_millis(limits::LANE_ASK_EVERY_MS);

/// The pace of one lane.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// When the allowance will be full again: so far ahead of now, so much of it is used.
    full_at: Duration,
    /// Whether it was told that it asks too often, since it last was answered.
    told: bool,
}

/// Not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooOften {
    /// How long to wait.
    pub(super) wait: Duration,
    /// Whether this is the first refusal of a row.
    pub(super) first: bool,
}

impl Pace {
    /// Takes one, or says how long to wait.
    pub(super) fn take(&mut self, now: Duration) -> Option<TooOften> {
        let full_at = self.full_at.max(now).saturating_add(EVERY);
        let most = now.saturating_add(EVERY.saturating_mul(limits::LANE_ASKS_BURST));
        if full_at > most {
            let first = !self.told;
            self.told = true;
            return Some(TooOften { wait: full_at.saturating_sub(most), first });
        }
        self.full_at = full_at;
        self.told = false;
        None
    }

    /// Whether nothing of it is used; then it need not be remembered.
    pub(super) fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }
}
