//! Names of things. Every id is a type of its own, so that a shop can never be passed where a node is meant.
//! Knows nothing of what the named things are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that is already known to name this kind of thing.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID, for a database column or a path.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

uuid_ids! {
    /// A customer organisation (a franchise brand).
    TenantId;
    /// One store of a tenant.
    ShopId;
    /// One edge appliance in a shop. It keeps its id when the box is swapped; the term moves.
    NodeId;
    /// A till position of a shop.
    LaneId;
    /// One basket, from its first line to its receipt. Chosen by the node when the ticket is opened.
    TicketId;
    /// A cashier's or lane's shift.
    ShiftId;
    /// A person, platform-wide.
    PersonId;
    /// Somebody who works at the lanes of a tenant; need not have an account at head office.
    StaffId;
}

/// The reign of one box under a node's name: granted by HQ at enrolment, swap, restore and promotion,
/// and only ever larger. Events of an older term stay valid; new ones under it are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Term(pub u32);

/// Position in one stream of one term: 1, 2, 3, ... without a gap in `Stream::Fiscal`. 0 means "nothing yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The position after this one. Saturates at the end of the world (2^64 events).
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The three logs of a node. The discriminants are wire and disk format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Stream {
    /// Sales, returns, cash, shifts, stock: gapless, hash-chained, never dropped.
    Fiscal = 1,
    /// What a restart needs: open baskets, pairings, idempotent replies. Stays in the shop.
    Work = 2,
    /// Temperatures, health: oldest dropped first under a byte budget, each drop counted.
    Telemetry = 3,
}

impl Stream {
    /// All streams, in the order of their importance.
    pub const ALL: [Self; 3] = [Self::Fiscal, Self::Work, Self::Telemetry];

    /// The name used in folders, columns, metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fiscal => "fiscal",
            Self::Work => "work",
            Self::Telemetry => "telemetry",
        }
    }

    /// Reads the wire and disk discriminant.
    pub const fn from_u8(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Fiscal),
            2 => Some(Self::Work),
            3 => Some(Self::Telemetry),
            _ => None,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of an event for ever, within its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventName {
    /// The node that wrote it.
    pub node: NodeId,
    /// The term it was written under.
    pub term: Term,
    /// The log it stands in.
    pub stream: Stream,
    /// Its position there.
    pub seq: Seq,
}
