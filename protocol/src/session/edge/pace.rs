//! Two clocks of the uplink: how fast the backlog may go (HQ says), and when a log's head is due to be signed.

use crate::limits;
use crate::session::Tick;

/// A token bucket of events, refilled by time, that may be overdrawn by one batch.
#[derive(Debug)]
pub(super) struct DrainRate {
    per_second: u32,
    /// Thousandths of an event.
    tokens: i64,
    at: Tick,
}

impl DrainRate {
    pub(super) const fn unlimited() -> Self {
        Self { per_second: 0, tokens: 0, at: Tick(0) }
    }

    pub(super) fn set(&mut self, now: Tick, per_second: u32) {
        *self = Self { per_second, tokens: i64::from(per_second).saturating_mul(1_000), at: now };
    }

    /// Whether the backlog may send now.
    pub(super) fn may(&mut self, now: Tick) -> bool {
        let earned = now.since(self.at).saturating_mul(u64::from(self.per_second));
        let full = i64::from(self.per_second).saturating_mul(1_000);
        self.tokens = self.tokens.saturating_add(i64::try_from(earned).unwrap_or(i64::MAX)).min(full);
        self.at = now;
        self.per_second == 0 || self.tokens > 0
    }

    pub(super) fn spent(&mut self, events: usize) {
        if self.per_second > 0 {
            let spent = i64::try_from(events).unwrap_or(i64::MAX).saturating_mul(1_000);
            self.tokens = self.tokens.saturating_sub(spent);
        }
    }

    /// When the backlog may send again, if it may not now.
    pub(super) fn next(&self) -> Option<Tick> {
        if self.per_second == 0 || self.tokens > 0 {
            return None;
        }
        let wait = self.tokens.unsigned_abs() / u64::from(self.per_second) + 1;
        Some(self.at.after(wait))
    }
}

/// When the head of one log is to be signed: once it is still, and every so often while it grows.
#[derive(Debug, Default)]
pub(super) struct CheckpointClock {
    head: u64,
    since: Option<Tick>,
    due: Option<Tick>,
}

impl CheckpointClock {
    /// A new connection: the head is signed at once, whatever HQ has seen, also that of a log nobody wrote to yet.
    pub(super) const fn connected(&mut self, now: Tick, head: u64) {
        *self = Self { head, since: None, due: Some(now) };
    }

    pub(super) fn hung_up(&mut self) {
        self.due = None;
    }

    pub(super) fn grown(&mut self, now: Tick, head: u64) {
        if head > self.head {
            self.head = head;
            let since = *self.since.get_or_insert(now);
            self.due = Some(now.after(limits::CHECKPOINT_QUIET_MS).min(since.after(limits::CHECKPOINT_BUSY_MS)));
        }
    }

    /// Whether it is to be signed now; says so once.
    pub(super) fn take_due(&mut self, now: Tick) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.due = None;
        self.since = None;
        true
    }

    pub(super) const fn next(&self) -> Option<Tick> {
        self.due
    }
}
