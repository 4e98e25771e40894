//! What the node says to its lanes and hears from them: which message follows from what happened, what is still to
//! be sent, who is online, and who may ask how often. Knows no broker and no clock.

mod board;
pub mod document;
mod pace;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use protocol::collection::{Collection, Version};
use protocol::id::{LaneId, NodeId, ShopId, TicketId};
use protocol::lane_message::{
    Ask, Body, CollectionNow, Content, Device, LaneNow, LaneState, Moment, Presence, Price, Reach, Reply, Ticket,
    TicketNow, TicketStanding, V1, What, pack,
};
use protocol::limits;
use protocol::timestamp::Timestamp;
use protocol::topic::{Place, Topic, may_retain};
use uuid::Uuid;

pub use board::{Board, Seen};
use pace::Pace;

use super::change::Change;

/// Who the node is, for this start.
#[derive(Clone, Debug)]
pub struct Me {
    /// Its shop.
    pub shop: ShopId,
    /// Itself.
    pub node: NodeId,
    /// What people call it.
    pub name: String,
    /// Version of the agent.
    pub software: String,
    /// Names this start.
    pub boot: Uuid,
}

impl Me {
    fn presence(&self, state: Reach, since: Timestamp, change: Option<u64>) -> Presence {
        let (name, software, boot) = (self.name.clone(), Some(self.software.clone()), Some(self.boot));
        Presence { v: V1, state, name, since: Moment(since), software, boot, change }
    }

    /// What the broker says in the node's name when it vanishes; fixed when it connects.
    pub fn will(&self, at: Timestamp) -> Message {
        let body = self.presence(Reach::Offline, at, None).write().unwrap_or_default();
        Message { topic: Topic::new(self.shop, Place::NodePresence(self.node)), retain: true, body }
    }

    /// What the node listens to.
    pub fn filters(&self) -> [String; 3] {
        ["presence", "state", "ask"].map(|channel| format!("tw/{}/lane/+/{channel}", self.shop))
    }
}

/// A message on its way to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub topic: Topic,
    /// Whether the broker keeps it for those who come later.
    pub retain: bool,
    /// What.
    pub body: Vec<u8>,
}

/// An ask that will be answered once the facts are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Who asked.
    pub lane: LaneId,
    /// What.
    pub ask: Ask,
}

/// What followed from a message of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing, or nothing that concerns anybody else.
    Nothing,
    /// The board of lanes changed.
    Board,
    /// Gather the facts and call [`Coordinator::answer`].
    Wanted(Wanted),
}

/// How the shop stands at a moment.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// When that was.
    pub at: Timestamp,
    /// Open and parked tickets.
    pub tickets: Vec<TicketNow>,
    /// Versions in force.
    pub collections: Vec<(Collection, Version)>,
    /// Devices.
    pub devices: Vec<Device>,
    /// Paired lanes with their names.
    pub paired: Vec<(LaneId, String)>,
}

/// The node's side of the coordination.
#[derive(Debug)]
pub struct Coordinator {
    me: Me,
    /// Since when the connection stands; none without one.
    online_since: Option<Timestamp>,
    /// Number of the last ticket message.
    change: u64,
    outbox: VecDeque<Message>,
    dropped: u64,
    /// Listeners missed something and are told so by a new presence as soon as there is room.
    owes: bool,
    board: Board,
    paces: BTreeMap<LaneId, Pace>,
}

impl Coordinator {
    /// Nothing said yet, nobody online.
    pub fn new(me: Me) -> Self {
        Self {
            me,
            online_since: None,
            change: 0,
            outbox: VecDeque::new(),
            dropped: 0,
            owes: false,
            board: Board::default(),
            paces: BTreeMap::new(),
        }
    }

    /// Who is online.
    pub const fn board(&self) -> &Board {
        &self.board
    }

    /// Messages that found no room, since the start.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// A connection stands. The broker may have lost everything: the node says again who it is, and forgets who was
    /// there until they say so again. What else is shown follows with [`Self::tell_all`].
    pub fn connected(&mut self, at: Timestamp) {
        self.online_since = Some(at);
        self.outbox.clear();
        self.board = Board::default();
        self.owes = true;
    }

    /// The connection is gone, and whatever was on its way.
    pub fn disconnected(&mut self) {
        self.online_since = None;
        self.outbox.clear();
        self.owes = false;
    }

    /// Says everything that is shown, for those who only listen.
    pub fn tell_all(&mut self, facts: &Facts) {
        for (collection, version) in &facts.collections {
            self.price(*collection, *version, None, facts.at);
        }
        for device in &facts.devices {
            self.device(device);
        }
        for ticket in &facts.tickets {
            self.ticket(ticket.ticket_id, ticket.state, ticket.lane_id, ticket.revision, facts.at);
        }
    }

    /// Something changed in the shop.
    pub fn changed(&mut self, change: &Change, at: Timestamp) {
        match change {
            Change::Ticket { ticket_id, state, lane_id, revision } => {
                self.ticket(*ticket_id, standing(state), *lane_id, *revision, at);
            }
            Change::Catalogue { version, codes } => {
                self.price(Collection::Catalogue, Version(*version), codes.clone(), at);
            }
            Change::Shop { version } => self.price(Collection::Shop, Version(*version), None, at),
            Change::Staff { version } => self.price(Collection::Staff, Version(*version), None, at),
            // A matter between a till and its cashier: tills hear it on their own socket.
            Change::PrintJob(_) => {}
            Change::Resync { missed } => self.missed(*missed),
        }
    }

    /// Changes went by unseen: their numbers are left out, so that listeners know.
    pub fn missed(&mut self, changes: u64) {
        self.change = self.change.saturating_add(changes);
        self.owes = true;
    }

    /// A device changed.
    pub fn device(&mut self, device: &Device) {
        if let Ok(name) = device.device.parse() {
            self.say(Place::DeviceState(name), device);
        }
    }

    /// Takes a message that a lane sent. `now` runs from any fixed moment, forwards only.
    pub fn heard(&mut self, topic: &str, body: &[u8], at: Timestamp, now: Duration) -> Heard {
        let Ok(Topic { shop, place }) = topic.parse() else { return Heard::Nothing };
        if shop != self.me.shop {
            return Heard::Nothing;
        }
        match place {
            Place::LanePresence(lane) => match Presence::read(body) {
                Ok(presence) if self.board.presence(lane, &presence) => Heard::Board,
                Ok(_) | Err(_) => Heard::Nothing,
            },
            Place::LaneState(lane) => match LaneState::read(body) {
                Ok(state) if self.board.doing(lane, state.state) => Heard::Board,
                Ok(_) | Err(_) => Heard::Nothing,
            },
            Place::LaneAsk(lane) => self.asked(lane, body, at, now),
            Place::LaneReply(_)
            | Place::TicketChanged(_)
            | Place::PriceChanged(_)
            | Place::DeviceState(_)
            | Place::NodePresence(_) => Heard::Nothing,
        }
    }

    fn asked(&mut self, lane: LaneId, body: &[u8], at: Timestamp, now: Duration) -> Heard {
        let ask = Ask::read(body);
        // Nonsense is paced like an ask: it costs about as much.
        self.paces.retain(|of, pace| *of == lane || !pace.is_full(now));
        let wait = self.paces.entry(lane).or_default().take(now);
        match (wait, ask) {
            (None, Ok(ask)) => Heard::Wanted(Wanted { lane, ask }),
            (None, Err(error)) => {
                let content = Content::Refused { message: cut(&error.to_string()), retry_after_ms: 0 };
                self.reply(lane, String::new(), at, vec![content]);
                Heard::Nothing
            }
            (Some(refused), ask) => {
                if refused.first {
                    let message = "asked too often; the answer would be the same".to_owned();
                    let retry_after_ms = u32::try_from(refused.wait.as_millis()).unwrap_or(u32::MAX);
                    let request_id = ask.map(|ask| ask.request_id).unwrap_or_default();
                    self.reply(lane, request_id, at, vec![Content::Refused { message, retry_after_ms }]);
                }
                Heard::Nothing
            }
        }
    }

    /// Answers an ask with how things stand.
    pub fn answer(&mut self, wanted: Wanted, facts: &Facts) {
        let mut contents = Vec::new();
        let what = wanted.ask.what;
        if matches!(what, What::Tickets | What::All) {
            let (parts, left_out) = pack(&facts.tickets);
            self.dropped = self.dropped.saturating_add(left_out as u64);
            let change = self.change;
            contents.extend(parts.into_iter().map(|tickets| Content::Tickets { change, tickets }));
        }
        if matches!(what, What::Prices | What::All) {
            let now = |(collection, version): &(Collection, Version)| CollectionNow {
                collection: collection.name().to_owned(),
                version: *version,
            };
            contents.push(Content::Prices { collections: facts.collections.iter().map(now).collect() });
        }
        if matches!(what, What::Devices | What::All) {
            let (parts, _) = pack(&facts.devices);
            contents.extend(parts.into_iter().map(|devices| Content::Devices { devices }));
        }
        if matches!(what, What::Lanes | What::All) {
            let (parts, _) = pack(&self.lanes(&facts.paired));
            contents.extend(parts.into_iter().map(|lanes| Content::Lanes { lanes }));
        }
        self.reply(wanted.lane, wanted.ask.request_id, facts.at, contents);
    }

    /// There are no facts to answer with.
    pub fn cannot_answer(&mut self, wanted: Wanted, why: &str, at: Timestamp) {
        let retry_after_ms = u32::try_from(limits::LANE_ASK_EVERY_MS).unwrap_or(u32::MAX);
        self.reply(
            wanted.lane,
            wanted.ask.request_id,
            at,
            vec![Content::Refused { message: cut(why), retry_after_ms }],
        );
    }

    fn lanes(&self, paired: &[(LaneId, String)]) -> Vec<LaneNow> {
        let now = |(lane, name): &(LaneId, String)| {
            let seen = self.board.seen(*lane);
            LaneNow {
                lane_id: *lane,
                name: name.clone(),
                online: seen.is_some_and(|seen| seen.online),
                since: seen.map(|seen| Moment(seen.since)),
                doing: seen.and_then(|seen| seen.doing),
            }
        };
        paired.iter().map(now).collect()
    }

    fn reply(&mut self, lane: LaneId, request_id: String, at: Timestamp, contents: Vec<Content>) {
        let parts = u32::try_from(contents.len()).unwrap_or(u32::MAX);
        for (content, part) in contents.into_iter().zip(1..) {
            let (request_id, boot) = (request_id.clone(), self.me.boot);
            let reply = Reply { v: V1, request_id, boot, at: Moment(at), part, parts, content };
            self.say(Place::LaneReply(lane), &reply);
        }
    }

    fn ticket(&mut self, ticket_id: TicketId, state: TicketStanding, lane_id: LaneId, revision: u32, at: Timestamp) {
        // Counted without a connection too: whoever listens again then sees that something went by.
        self.change = self.change.saturating_add(1);
        let (at, boot, change) = (Moment(at), self.me.boot, self.change);
        let body = Ticket { v: V1, ticket_id, state, lane_id, revision, at, boot, change };
        self.say(Place::TicketChanged(ticket_id), &body);
    }

    fn price(&mut self, collection: Collection, version: Version, codes: Option<Vec<String>>, at: Timestamp) {
        if version > Version(0) {
            self.say(Place::PriceChanged(collection), &Price::new(collection, version, codes, Moment(at)));
        }
    }

    fn say(&mut self, place: Place, body: &impl Body) {
        if self.online_since.is_none() {
            return;
        }
        let Ok(body) = body.write() else {
            self.dropped = self.dropped.saturating_add(1);
            return;
        };
        if self.outbox.len() >= limits::LANE_MESSAGES_WAITING {
            // The newest says more than the oldest.
            self.outbox.pop_front();
            self.dropped = self.dropped.saturating_add(1);
            self.owes = true;
        }
        let topic = Topic::new(self.me.shop, place);
        self.outbox.push_back(Message { retain: may_retain(&topic), topic, body });
    }

    /// The next message to send; it stays until [`Self::sent`].
    pub fn head(&mut self) -> Option<&Message> {
        if self.owes
            && let Some(since) = self.online_since
        {
            self.owes = false;
            let presence = self.me.presence(Reach::Online, since, Some(self.change));
            // Ahead of what waits: who listens learns first that the numbers have a gap.
            if let Ok(body) = presence.write() {
                let topic = Topic::new(self.me.shop, Place::NodePresence(self.me.node));
                self.outbox.push_front(Message { topic, retain: true, body });
            }
        }
        self.outbox.front()
    }

    /// The next message was handed to the broker.
    pub fn sent(&mut self) {
        self.outbox.pop_front();
    }

    /// The last word of a node that stops; nothing follows it.
    pub fn farewell(&self, at: Timestamp) -> Option<Message> {
        self.online_since.map(|_| self.me.will(at))
    }
}

/// The word of [`Change`] as a message says it.
fn standing(word: &str) -> TicketStanding {
    match word {
        "open" => TicketStanding::Open,
        "parked" => TicketStanding::Parked,
        "voided" => TicketStanding::Voided,
        "closed" => TicketStanding::Closed,
        _ => TicketStanding::Other,
    }
}

/// Text that fits a note.
fn cut(text: &str) -> String {
    let plain = text.chars().filter(|letter| !letter.is_control());
    plain
        .scan(0_usize, |used, letter| {
            *used = used.saturating_add(letter.len_utf8());
            (*used <= limits::NOTE_BYTES).then_some(letter)
        })
        .collect()
}
