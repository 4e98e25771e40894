//! A measure that refills by the second: how much a client may send. The time is an argument.

use std::time::{Duration, Instant};

/// Units that flow in by the second up to a brim.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    per_second: u64,
    /// Thousandths of a unit.
    level: u64,
    brim: u64,
    at: Instant,
}

impl Bucket {
    /// Full.
    pub const fn new(now: Instant, per_second: u64, brim: u64) -> Self {
        let brim = brim.saturating_mul(1_000);
        Self { per_second, level: brim, brim, at: now }
    }

    /// Takes so many units if they are there.
    pub fn take(&mut self, now: Instant, units: u64) -> bool {
        let passed = now.saturating_duration_since(self.at);
        let flown = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).saturating_mul(self.per_second);
        if flown > 0 {
            self.level = self.level.saturating_add(flown).min(self.brim);
            // The part of a millisecond that was not counted stays for the next time.
            let counted = Duration::from_millis(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX));
            self.at = self.at.checked_add(counted).unwrap_or(now);
        }
        match self.level.checked_sub(units.saturating_mul(1_000)) {
            Some(left) => {
                self.level = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_a_flood_is_not() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start, 10, 20);
        assert!((0..20).all(|_| bucket.take(start, 1)));
        assert!(!bucket.take(start, 1));
        let later = start + Duration::from_millis(250);
        assert!(bucket.take(later, 2), "two and a half have flown in");
        assert!(!bucket.take(later, 1));
        assert!(bucket.take(start + Duration::from_millis(300), 1), "halves add up");
        let much_later = start + Duration::from_secs(1_000);
        assert!(bucket.take(much_later, 20) && !bucket.take(much_later, 1), "never more than the brim");
    }

    #[test]
    fn many_small_steps_let_in_as_much_as_one_large() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start, 100, 100);
        assert!(bucket.take(start, 100));
        let taken = (1..=100_000_u64).filter(|step| bucket.take(start + Duration::from_micros(step * 100), 1)).count();
        assert!((990..=1_000).contains(&taken), "{taken} in ten seconds");
    }
}
