//! When to try a device again: full jitter under a doubling ceiling, and at once after it has worked. The randomness
//! comes from a seed the caller gives.

use std::time::Duration;

use protocol::session::backoff::Jitter;

/// The pace of tries.
#[derive(Clone, Debug)]
pub struct Pace {
    base_ms: u64,
    cap_ms: u64,
    failures: u32,
    jitter: Jitter,
}

impl Pace {
    /// No failure so far; ceilings from `base_ms` to `cap_ms`.
    pub const fn new(base_ms: u64, cap_ms: u64, seed: u64) -> Self {
        Self { base_ms, cap_ms, failures: 0, jitter: Jitter::new(seed) }
    }

    /// Counts a failure and says how long to wait: half the ceiling at least, so that a refusing device is not stormed.
    pub fn failed(&mut self) -> Duration {
        let ceiling = self.base_ms.checked_shl(self.failures.min(32)).unwrap_or(self.cap_ms).min(self.cap_ms);
        self.failures = self.failures.saturating_add(1);
        Duration::from_millis(ceiling / 2 + self.jitter.up_to(ceiling / 2))
    }

    /// It worked.
    pub const fn forgive(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_thin_out_and_never_stop() {
        let mut pace = Pace::new(500, 8_000, 7);
        let waits: Vec<u128> = (0..40).map(|_| pace.failed().as_millis()).collect();
        assert!((250..=500).contains(&waits[0]), "{waits:?}");
        assert!(waits.iter().skip(5).all(|wait| (4_000..=8_000).contains(wait)), "{waits:?}");
        pace.forgive();
        assert!(pace.failed().as_millis() <= 500);
    }
}
