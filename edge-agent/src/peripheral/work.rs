//! What printing writes into the work log: marks and outcomes of jobs, copies that were asked for, and everything that
//! is known, carried forward. Stays in the shop. Each body is one frozen struct per (kind, version).

use protocol::event::{EventError, RawEvent};

use crate::core::print_queue::{Carried, Fact, Job};

/// Kinds of work events (110-119). Numbers are disk format and are never used again.
mod kind {
    pub(super) const PRINT_FACT: u16 = 110;
    pub(super) const COPY_ASKED: u16 = 111;
    pub(super) const PRINT_CARRIED: u16 = 112;
}

/// A work event of printing whose shape this build knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PrintEvent {
    /// A job is about to be sent, or came to something.
    Fact(Fact),
    /// A person asked for a copy.
    Asked(Box<Job>),
    /// Everything that is known; what was written before is history.
    Carried(Carried),
}

impl PrintEvent {
    pub(super) fn encode(&self) -> Result<RawEvent, EventError> {
        match self {
            Self::Fact(body) => RawEvent::encode(kind::PRINT_FACT, 1, body),
            Self::Asked(body) => RawEvent::encode(kind::COPY_ASKED, 1, body.as_ref()),
            Self::Carried(body) => RawEvent::encode(kind::PRINT_CARRIED, 1, body),
        }
    }

    /// `Ok(None)` for a kind or version of another build or another room.
    pub(super) fn decode(raw: &RawEvent) -> Result<Option<Self>, EventError> {
        Ok(match (raw.kind, raw.version) {
            (kind::PRINT_FACT, 1) => Some(Self::Fact(raw.decode()?)),
            (kind::COPY_ASKED, 1) => Some(Self::Asked(Box::new(raw.decode()?))),
            (kind::PRINT_CARRIED, 1) => Some(Self::Carried(raw.decode()?)),
            _ => None,
        })
    }
}
