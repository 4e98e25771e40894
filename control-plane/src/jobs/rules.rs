//! Decisions of jobs: how long a failure waits, how much one tenant may have at once. No clock, no database.

use std::time::Duration;

/// A worker that says nothing for so long is taken for gone.
pub const LEASE_MILLIS: i64 = 60_000;
/// Jobs that one worker does at the same time. They wait on others (mail, web hooks) more than they compute.
pub const SLOTS: usize = 8;
/// Jobs of one tenant that are done at the same time, over all workers: half of a worker stays for the others.
pub const TENANT_SLOTS: i64 = 4;
/// Tenants with work that are looked at in one turn.
pub const TURN: i64 = 64;
/// Characters of a failure's reason that are kept.
const REASON_CHARS: usize = 400;

/// How long failure number `attempt` waits: twice as long each time, up to the most; half of it by chance (`draw`), so
/// that what failed together does not come back together.
pub fn wait_millis(first: Duration, most: Duration, attempt: u16, draw: u32) -> i64 {
    let first = u64::try_from(first.as_millis()).unwrap_or(u64::MAX).max(2);
    let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX).max(first);
    let doubled = 1_u64.checked_shl(u32::from(attempt.saturating_sub(1))).unwrap_or(u64::MAX);
    let whole = first.saturating_mul(doubled).min(most);
    let half = whole / 2;
    // draw / 2^32 of the other half
    let chance = u128::from(half) * u128::from(draw) / (1_u128 << 32);
    i64::try_from(u128::from(half) + chance).unwrap_or(i64::MAX)
}

/// A reason as it is kept: one line, not too long.
pub fn reason(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_waits_twice_as_long_each_time_and_half_of_it_by_chance() {
        let (first, most) = (Duration::from_secs(10), Duration::from_secs(60));
        let least: Vec<i64> = (1..=5).map(|attempt| wait_millis(first, most, attempt, 0)).collect();
        assert_eq!(least, [5_000, 10_000, 20_000, 30_000, 30_000]);
        let longest: Vec<i64> = (1..=5).map(|attempt| wait_millis(first, most, attempt, u32::MAX)).collect();
        assert_eq!(longest, [9_999, 19_999, 39_999, 59_999, 59_999]);
        for attempt in [0, 63, 64, 100, u16::MAX] {
            let wait = wait_millis(first, most, attempt, 1 << 31);
            assert!((5_000..=60_000).contains(&wait), "{attempt}: {wait}");
        }
    }

    #[test]
    fn a_reason_is_one_short_line() {
        assert_eq!(reason("550 5.1.1\r\n  no such\tmailbox"), "550 5.1.1 no such mailbox");
        assert_eq!(reason(&"é".repeat(9_999)).chars().count(), REASON_CHARS);
    }
}
