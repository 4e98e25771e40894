//! Who is online, as the lanes and the broker say it. Says nothing about who is paired.

use std::collections::BTreeMap;

use protocol::id::LaneId;
use protocol::lane_message::{Activity, Presence, Reach};
use protocol::limits;
use protocol::timestamp::Timestamp;

/// What is known of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whether it is connected.
    pub online: bool,
    /// When the connection began that was last heard of.
    pub since: Timestamp,
    /// What it is doing, if it said so since it is online.
    pub doing: Option<Activity>,
}

/// All lanes that were heard of since the connection to the broker stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board(BTreeMap<LaneId, Seen>);

impl Board {
    /// A lane came or went. Whether that changes anything.
    pub fn presence(&mut self, lane: LaneId, presence: &Presence) -> bool {
        let online = presence.state == Reach::Online;
        let known = self.0.get(&lane).copied();
        let doing = known.and_then(|seen| seen.doing).filter(|_| online);
        let now = Seen { online, since: presence.since.0, doing };
        if known == Some(now) || (known.is_none() && !self.has_room()) {
            return false;
        }
        self.0.insert(lane, now);
        true
    }

    /// A lane says what it is doing. Whether that changes anything.
    pub fn doing(&mut self, lane: LaneId, doing: Activity) -> bool {
        match self.0.get_mut(&lane) {
            Some(seen) if seen.online && seen.doing != Some(doing) => {
                seen.doing = Some(doing);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Lanes that were unpaired leave their place to others once they are gone.
    fn has_room(&mut self) -> bool {
        if self.0.len() >= limits::LANES {
            self.0.retain(|_, seen| seen.online);
        }
        self.0.len() < limits::LANES
    }

    /// A lane.
    pub fn seen(&self, lane: LaneId) -> Option<Seen> {
        self.0.get(&lane).copied()
    }

    /// Lanes that are connected.
    pub fn online(&self) -> Vec<LaneId> {
        self.0.iter().filter(|(_, seen)| seen.online).map(|(lane, _)| *lane).collect()
    }
}
