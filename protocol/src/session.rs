//! The two ends of the uplink as machines without IO: [`edge::Edge`] at the node, [`cloud::Cloud`] at HQ, one per
//! connection. Frames, time and answers go in by `handle_*` and named calls; frames, events and the next timeout
//! come out by `poll_*`. They own the order of frames, what is sent again and when; they know no socket, no file,
//! no database and no clock.

pub mod ack;
pub mod backoff;
mod checkpoint;
pub mod cloud;
pub mod edge;

use crate::frame::v1::CloseV1;
use crate::limits;

/// A reading of a clock that never goes back: milliseconds since some start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

impl Tick {
    /// This reading moved on.
    #[must_use]
    pub const fn after(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this; 0 if it lies before.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Why a connection was closed, for a machine. Also the QUIC application error code. Numbers are wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The other side ends in good order.
    pub const SHUTDOWN: Self = Self(1);
    /// HQ cannot serve now: come back later.
    pub const UNAVAILABLE: Self = Self(2);
    /// No common protocol version.
    pub const VERSION: Self = Self(3);
    /// Bytes that are not the protocol, or a frame where it does not belong.
    pub const PROTOCOL: Self = Self(4);
    /// Nothing was heard for too long.
    pub const TIMEOUT: Self = Self(5);
    /// This identity is unknown, revoked or of another tenant.
    pub const REFUSED: Self = Self(6);
    /// HQ knows a later term of this node.
    pub const OLD_TERM: Self = Self(7);
    /// A newer connection of the same node took over.
    pub const SUPERSEDED: Self = Self(8);
    /// More connections than are served.
    pub const BUSY: Self = Self(9);

    /// A short name for metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SHUTDOWN => "shutdown",
            Self::UNAVAILABLE => "unavailable",
            Self::VERSION => "version",
            Self::PROTOCOL => "protocol",
            Self::TIMEOUT => "timeout",
            Self::REFUSED => "refused",
            Self::OLD_TERM => "old_term",
            Self::SUPERSEDED => "superseded",
            Self::BUSY => "busy",
            _ => "other",
        }
    }
}

/// Why and until when a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// For a machine.
    pub code: CloseCode,
    /// For a person.
    pub reason: String,
    /// When to come back at the earliest, in milliseconds; 0: by the ordinary back-off.
    pub retry_after_ms: u32,
}

impl Closed {
    /// A closing that leaves the time of return to the back-off.
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), retry_after_ms: 0 }
    }

    /// As a frame body; the reason is cut to what a frame may carry.
    pub fn to_wire(&self) -> CloseV1 {
        let mut end = self.reason.len().min(limits::WIRE_TEXT_BYTES);
        while !self.reason.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let reason = self.reason.get(..end).unwrap_or_default().to_owned();
        CloseV1 { code: self.code.0, reason, retry_after_ms: self.retry_after_ms }
    }

    /// From a frame body.
    pub fn from_wire(wire: CloseV1) -> Self {
        Self { code: CloseCode(wire.code), reason: wire.reason, retry_after_ms: wire.retry_after_ms }
    }
}

#[cfg(test)]
mod tests;
