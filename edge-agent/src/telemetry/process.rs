//! What this process takes of its machine, read from /proc when somebody looks. Head office and the node have the same
//! text of this file (a test compares them). Knows nothing of what the process does.

use std::fs;

/// Sets the gauges of the process. What the system does not tell stays as it was.
pub fn observe() {
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        if let Some(kib) = number(&status, "VmRSS:") {
            metrics::gauge!("process_resident_memory_bytes").set(wide(kib.saturating_mul(1_024)));
        }
        if let Some(threads) = number(&status, "Threads:") {
            metrics::gauge!("process_threads").set(wide(threads));
        }
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // One of them is the folder that is being read.
        let open = u64::try_from(entries.count().saturating_sub(1)).unwrap_or(u64::MAX);
        metrics::gauge!("process_open_fds").set(wide(open));
    }
    if let Ok(limits) = fs::read_to_string("/proc/self/limits")
        && let Some(most) = number(&limits, "Max open files")
    {
        metrics::gauge!("process_max_fds").set(wide(most));
    }
}

/// The first number behind a word.
fn number(text: &str, word: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A counted thing as a gauge.
#[allow(clippy::cast_precision_loss, reason = "a gauge is a float; no counted thing here reaches 2^53")]
pub const fn wide(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_found() {
        let status = "Name:\tedge\nVmRSS:\t   18432 kB\nThreads:\t7\n";
        assert_eq!((number(status, "VmRSS:"), number(status, "Threads:")), (Some(18_432), Some(7)));
        assert_eq!(
            number("Max open files            1024                 4096                 files", "Max open files"),
            Some(1_024)
        );
        assert_eq!(number(status, "VmSwap:"), None);
    }
}
