//! When to try again: full jitter under a doubling ceiling. A connection that was accepted and thrown out counts as
//! a failure; only one that was stable and useful forgives. Randomness comes from a seed the caller gives.

use crate::limits;

/// A small generator (SplitMix64): spreads retries, protects nothing.
#[derive(Clone, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// From a seed; nodes must not share it.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `most`, both possible.
    pub const fn up_to(&mut self, most: u64) -> u64 {
        match most.checked_add(1) {
            Some(span) => self.next() % span,
            None => self.next(),
        }
    }
}

/// How often in a row it went wrong.
#[derive(Clone, Debug)]
pub struct Backoff {
    failures: u32,
    jitter: Jitter,
}

impl Backoff {
    /// No failure so far.
    pub const fn new(seed: u64) -> Self {
        Self { failures: 0, jitter: Jitter::new(seed) }
    }

    /// Counts a failure and says how many milliseconds to wait: at least `retry_after_ms` if HQ gave one, plus 0 to
    /// the ceiling.
    pub fn failed(&mut self, retry_after_ms: u32) -> u64 {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        u64::from(retry_after_ms).min(limits::BACKOFF_CAP_MS).saturating_add(self.jitter.up_to(ceiling))
    }

    /// The largest wait after the next failure, in milliseconds.
    pub fn ceiling(&self) -> u64 {
        let doubled = limits::BACKOFF_BASE_MS.checked_shl(self.failures.min(32)).unwrap_or(limits::BACKOFF_CAP_MS);
        doubled.min(limits::BACKOFF_CAP_MS)
    }

    /// A stable and useful connection forgives.
    pub const fn forgive(&mut self) {
        self.failures = 0;
    }

    /// Failures in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_to_the_cap_and_every_wait_is_spread_below_it() {
        let mut backoff = Backoff::new(7);
        let ceilings = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000];
        for ceiling in ceilings {
            assert_eq!(backoff.ceiling(), ceiling);
            assert!(backoff.failed(0) <= ceiling);
        }
        for _ in 0..100 {
            assert!(backoff.failed(0) <= limits::BACKOFF_CAP_MS);
        }
        let waits: Vec<u64> = (0..1_000).map(|_| backoff.failed(0)).collect();
        let low = waits.iter().filter(|wait| **wait < limits::BACKOFF_CAP_MS / 4).count();
        assert!((150..350).contains(&low), "full jitter: a quarter of the waits in the first quarter, got {low}");
        assert!(backoff.failed(20_000) >= 20_000);
        backoff.forgive();
        assert_eq!(backoff.ceiling(), 1_000);
    }
}
