//! How the uplink stands, for the health page, the lanes and the metrics.

use protocol::timestamp::Timestamp;

/// Whether there is a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Resting between two tries.
    #[default]
    Down,
    /// Dialling or greeting.
    Trying,
    /// In business with HQ.
    Up,
}

/// How the uplink stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The connection.
    pub link: Link,
    /// When HQ was last heard; none since the start.
    pub last_contact: Option<Timestamp>,
    /// Fiscal records HQ has not acknowledged.
    pub pending: u64,
    /// Failures in a row.
    pub failures: u32,
    /// Why the last connection ended or was not made; none while nothing has gone wrong.
    pub last_error: Option<String>,
    /// By how many milliseconds this clock was ahead of HQ's when they last met; none since the start.
    pub clock_skew_ms: Option<i64>,
}

impl Status {
    /// Whether the node is in business with HQ.
    pub fn is_connected(&self) -> bool {
        self.link == Link::Up
    }
}
