//! In-store MQTT topics, `tw/{shop}/{room}/{id}/{channel}`, as types; the rights of a client are derived from
//! who it is and from nothing else. Knows no broker, no packet and no body.

use std::fmt;
use std::str::FromStr;

use crate::collection::Collection;
use crate::id::{LaneId, NodeId, ShopId, TicketId};
use crate::limits;

mod filter;
#[cfg(test)]
mod tests;

pub use filter::matches;

/// First level of every topic.
pub const ROOT: &str = "tw";

/// Name of a device of the node, as in its configuration: letters, digits, `-`, `_` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName(String);

impl DeviceName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceName {
    type Err = TopicError;
    fn from_str(text: &str) -> Result<Self, TopicError> {
        let fits = !text.is_empty() && text.len() <= limits::DEVICE_NAME_BYTES;
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if fits && plain { Ok(Self(text.to_owned())) } else { Err(TopicError::Id) }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a topic is about, within its shop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// `lane/{lane}/presence`: the lane, retained, and its last will.
    LanePresence(LaneId),
    /// `lane/{lane}/state`: the lane says what it is doing.
    LaneState(LaneId),
    /// `lane/{lane}/ask`: the lane asks the node for what it shows.
    LaneAsk(LaneId),
    /// `lane/{lane}/reply`: the node answers; for that lane alone.
    LaneReply(LaneId),
    /// `ticket/{ticket}/changed`: the node, after a ticket changed.
    TicketChanged(TicketId),
    /// `price/{collection}/changed`: the node, when a collection took force.
    PriceChanged(Collection),
    /// `device/{device}/state`: the node, retained.
    DeviceState(DeviceName),
    /// `node/{node}/presence`: the node, retained, and its last will.
    NodePresence(NodeId),
}

impl Place {
    /// The three levels below the shop: room, id, channel.
    fn levels(&self) -> (&'static str, String, &'static str) {
        match self {
            Self::LanePresence(lane) => ("lane", lane.to_string(), "presence"),
            Self::LaneState(lane) => ("lane", lane.to_string(), "state"),
            Self::LaneAsk(lane) => ("lane", lane.to_string(), "ask"),
            Self::LaneReply(lane) => ("lane", lane.to_string(), "reply"),
            Self::TicketChanged(ticket) => ("ticket", ticket.to_string(), "changed"),
            Self::PriceChanged(collection) => ("price", collection.name().to_owned(), "changed"),
            Self::DeviceState(device) => ("device", device.to_string(), "state"),
            Self::NodePresence(node) => ("node", node.to_string(), "presence"),
        }
    }

    /// Reads the three levels below the shop. Ids stand in the one spelling that is written.
    fn parse(room: &str, id: &str, channel: &str) -> Result<Self, TopicError> {
        match (room, channel) {
            ("lane", "presence") => one_spelling(id).map(Self::LanePresence),
            ("lane", "state") => one_spelling(id).map(Self::LaneState),
            ("lane", "ask") => one_spelling(id).map(Self::LaneAsk),
            ("lane", "reply") => one_spelling(id).map(Self::LaneReply),
            ("ticket", "changed") => one_spelling(id).map(Self::TicketChanged),
            ("price", "changed") => {
                let found = Collection::ALL.into_iter().find(|collection| collection.name() == id);
                found.map(Self::PriceChanged).ok_or(TopicError::Id)
            }
            ("device", "state") => id.parse().map(Self::DeviceState),
            ("node", "presence") => one_spelling(id).map(Self::NodePresence),
            _ => Err(TopicError::Unknown),
        }
    }
}

/// Every room with its channels: what the filters are checked against, and what the documents list.
pub const ROOMS: [(&str, &[&str]); 5] = [
    ("lane", &["presence", "state", "ask", "reply"]),
    ("ticket", &["changed"]),
    ("price", &["changed"]),
    ("device", &["state"]),
    ("node", &["presence"]),
];

/// Channels that belong to the lane in their id and to the node; no other lane reads them.
pub(crate) const PRIVATE: [&str; 2] = ["ask", "reply"];

/// A topic of one shop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    /// The shop whose topic it is.
    pub shop: ShopId,
    /// What it is about.
    pub place: Place,
}

impl Topic {
    /// The topic of a place in a shop.
    #[must_use]
    pub const fn new(shop: ShopId, place: Place) -> Self {
        Self { shop, place }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (room, id, channel) = self.place.levels();
        write!(f, "{ROOT}/{}/{room}/{id}/{channel}", self.shop)
    }
}

impl FromStr for Topic {
    type Err = TopicError;
    fn from_str(text: &str) -> Result<Self, TopicError> {
        check_text(text)?;
        if text.contains(['+', '#']) {
            return Err(TopicError::Wildcard);
        }
        // Six at most are looked at, however many slashes a text has.
        let mut levels = text.splitn(6, '/');
        let (Some(root), Some(shop), Some(room), Some(id), Some(channel), None) =
            (levels.next(), levels.next(), levels.next(), levels.next(), levels.next(), levels.next())
        else {
            return Err(TopicError::Depth);
        };
        if root != ROOT {
            return Err(TopicError::Unknown);
        }
        Ok(Self { shop: one_spelling(shop)?, place: Place::parse(room, id, channel)? })
    }
}

/// Who speaks: known by its credential, never by what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// A paired till position.
    Lane(LaneId),
    /// The node itself.
    Node(NodeId),
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lane(lane) => write!(f, "lane {lane}"),
            Self::Node(node) => write!(f, "node {node}"),
        }
    }
}

impl Principal {
    /// Its presence topic: the only topic its last will may name.
    #[must_use]
    pub const fn presence(self, shop: ShopId) -> Topic {
        match self {
            Self::Lane(lane) => Topic::new(shop, Place::LanePresence(lane)),
            Self::Node(node) => Topic::new(shop, Place::NodePresence(node)),
        }
    }
}

/// Why a topic or a filter is refused. The text may be shown to whoever set up the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Longer than [`limits::TOPIC_BYTES`], or empty.
    #[error("a topic has 1 to {} bytes", limits::TOPIC_BYTES)]
    Length,
    /// A control character, or one that no topic has.
    #[error("a topic has no control characters and none outside of ASCII")]
    Character,
    /// `$SYS`, `$share` and their like.
    #[error("topics that begin with $ are closed; shared subscriptions are not offered")]
    Dollar,
    /// A wildcard in a topic that is published to, or one that is not a level of its own.
    #[error("+ and # stand only in filters, each as a level of its own, # only as the last")]
    Wildcard,
    /// Not five levels.
    #[error("a topic has five levels: tw/{{shop}}/{{room}}/{{id}}/{{channel}}")]
    Depth,
    /// No such room or channel.
    #[error("no such topic: see asyncapi.json for those there are")]
    Unknown,
    /// An id that is not one, or not in the spelling that is written (lower case, with hyphens).
    #[error("the id in the topic is not one")]
    Id,
    /// Another shop.
    #[error("that is another shop's topic")]
    Shop,
    /// Not for this client.
    #[error("this client has no right to that topic")]
    Right,
}

/// Reads the topic and checks that this client may publish to it.
///
/// # Errors
/// Text that is no topic, another shop's, or one that belongs to another speaker.
pub fn may_publish(who: Principal, shop: ShopId, topic: &str) -> Result<Topic, TopicError> {
    let topic: Topic = topic.parse()?;
    if topic.shop != shop {
        return Err(TopicError::Shop);
    }
    let speaks = match (&topic.place, who) {
        (Place::LanePresence(of) | Place::LaneState(of) | Place::LaneAsk(of), Principal::Lane(lane)) => *of == lane,
        (Place::NodePresence(of), Principal::Node(node)) => *of == node,
        (
            Place::LaneReply(_) | Place::TicketChanged(_) | Place::PriceChanged(_) | Place::DeviceState(_),
            Principal::Node(_),
        ) => true,
        (Place::LanePresence(_) | Place::LaneState(_) | Place::LaneAsk(_), Principal::Node(_))
        | (
            Place::LaneReply(_)
            | Place::TicketChanged(_)
            | Place::PriceChanged(_)
            | Place::DeviceState(_)
            | Place::NodePresence(_),
            Principal::Lane(_),
        ) => false,
    };
    if speaks { Ok(topic) } else { Err(TopicError::Right) }
}

/// Checks that this client may read a topic of its shop.
#[must_use]
pub fn may_read(who: Principal, shop: ShopId, topic: &Topic) -> bool {
    if topic.shop != shop {
        return false;
    }
    match (&topic.place, who) {
        (Place::LaneAsk(of) | Place::LaneReply(of), Principal::Lane(lane)) => *of == lane,
        (
            Place::LanePresence(_)
            | Place::LaneState(_)
            | Place::LaneAsk(_)
            | Place::LaneReply(_)
            | Place::TicketChanged(_)
            | Place::PriceChanged(_)
            | Place::DeviceState(_)
            | Place::NodePresence(_),
            Principal::Lane(_) | Principal::Node(_),
        ) => true,
    }
}

/// Checks that this client may subscribe to the filter: all it can match is readable for the client.
///
/// # Errors
/// Text that is no filter or matches nothing there is, `$` topics, shared subscriptions, another shop, and a
/// filter that also reaches what the client may not read (a lane asks for `tw/{shop}/lane/{lane}/#`, not
/// `tw/{shop}/#`).
pub fn may_subscribe(who: Principal, shop: ShopId, filter: &str) -> Result<(), TopicError> {
    filter::check(who, shop, filter)
}

/// Whether a message on this topic may be retained: presence and device states, of which only the last counts.
#[must_use]
pub const fn may_retain(topic: &Topic) -> bool {
    match topic.place {
        Place::LanePresence(_) | Place::DeviceState(_) | Place::NodePresence(_) => true,
        Place::LaneState(_)
        | Place::LaneAsk(_)
        | Place::LaneReply(_)
        | Place::TicketChanged(_)
        | Place::PriceChanged(_) => false,
    }
}

/// What holds for topics and filters alike, before anything is split or allocated.
fn check_text(text: &str) -> Result<(), TopicError> {
    if text.is_empty() || text.len() > limits::TOPIC_BYTES {
        return Err(TopicError::Length);
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err(TopicError::Character);
    }
    if text.starts_with('$') {
        return Err(TopicError::Dollar);
    }
    Ok(())
}

/// Reads an id and refuses every spelling but the one that is written: one topic has one text.
fn one_spelling<T: FromStr + fmt::Display>(text: &str) -> Result<T, TopicError> {
    let id: T = text.parse().map_err(|_| TopicError::Id)?;
    if id.to_string() == text { Ok(id) } else { Err(TopicError::Id) }
}
