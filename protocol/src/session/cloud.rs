//! HQ's end of one connection. Takes the hello, hands batches to the shell one commit at a time per stream (live
//! first), acknowledges after the commit and never before, sends back what was not committed, offers collections.
//! Who the node is, it is told: identity comes from the certificate, not from a frame.

mod downlink;
mod lane;

use std::collections::VecDeque;

use downlink::Downlink;
pub use downlink::Parcel;
use lane::{Lane, Taken, nack};

use super::ack::RangeSet;
use super::{CloseCode, Closed, Tick, checkpoint};
use crate::collection::{Collection, Version};
use crate::enroll::SignedCheckpoint;
use crate::frame::v1::{AppliedV1, BatchV1, CursorV1, HeldV1, HelloV1, PaceV1, PongV1, WelcomeV1};
use crate::frame::{Body, Channel, Frame, collection_from_u8};
use crate::id::Stream;
use crate::ledger::{Hash, Record};
use crate::{limits, version};

/// How long a node waits when HQ had no room for its batch, in milliseconds.
const NO_ROOM_MS: u32 = 1_000;

/// What the shell is to do or to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudEvent {
    /// The node greets: answer with [`Cloud::welcome`] or [`Cloud::close`].
    Hello(HelloV1),
    /// Commit these records; answer with [`Cloud::committed`] or [`Cloud::failed`].
    Ingest {
        /// To be given back.
        id: u64,
        /// Which log.
        stream: Stream,
        /// The records, ascending.
        records: Vec<Record>,
        /// Chain hash before the first, if the node had it at hand.
        prev: Option<Hash>,
    },
    /// The node signed the head of a log.
    Checkpoint(SignedCheckpoint),
    /// The node stands here with a collection: if there is something newer, [`Cloud::offer`] it. Not said when the
    /// node only declined what it was offered: look again after a while.
    Holds {
        /// Which.
        collection: Collection,
        /// The version; 0: it wants the whole.
        version: Version,
    },
    /// Send what [`Cloud::poll_transmit`] still holds, then close the connection.
    Disconnect(Closed),
}

/// What HQ answers to a hello.
#[derive(Clone, Debug, Default)]
pub struct Greeting {
    /// HQ's clock, milliseconds since the Unix epoch.
    pub hq_time_ms: i64,
    /// Its signature over that and the boot nonce; may be empty.
    pub time_signature: Vec<u8>,
    /// Backlog events per second; 0: no limit.
    pub drain_per_second: u32,
    /// What HQ has committed of each stream it takes.
    pub cursors: Vec<(Stream, RangeSet)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    AwaitHello(Tick),
    AwaitWelcome(Vec<(Collection, Version)>, u16),
    Up,
    Closed,
}

/// HQ's end.
#[derive(Debug)]
pub struct Cloud {
    phase: Phase,
    lanes: Vec<Lane>,
    downlinks: Vec<Downlink>,
    last_heard: Tick,
    next_id: u64,
    out: VecDeque<Frame>,
    events: VecDeque<CloudEvent>,
}

impl Cloud {
    /// A connection that has just been accepted.
    pub const fn new(now: Tick) -> Self {
        Self {
            phase: Phase::AwaitHello(now.after(limits::HELLO_TIMEOUT_MS)),
            lanes: Vec::new(),
            downlinks: Vec::new(),
            last_heard: now,
            next_id: 0,
            out: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    // ---- what the shell says ----------------------------------------------------------------------------

    /// The node is welcome.
    pub fn welcome(&mut self, greeting: Greeting) {
        let Phase::AwaitWelcome(held, version) = std::mem::replace(&mut self.phase, Phase::Up) else { return };
        self.lanes = greeting.cursors.into_iter().map(|(stream, known)| Lane::new(stream, known)).collect();
        self.downlinks = held.iter().map(|(collection, version)| Downlink::new(*collection, *version)).collect();
        let cursor = |lane: &Lane| CursorV1 { stream: lane.stream as u8, ranges: lane.known() };
        self.out.push_back(Frame::control(Body::Welcome(WelcomeV1 {
            version,
            hq_time_ms: greeting.hq_time_ms,
            time_signature: greeting.time_signature,
            drain_per_second: greeting.drain_per_second,
            cursors: self.lanes.iter().map(cursor).collect(),
            collections: Vec::new(),
        })));
        self.events.extend(held.into_iter().map(|(collection, version)| CloudEvent::Holds { collection, version }));
    }

    /// A commit is on disk. `acked`: what HQ now has, at least of these records.
    pub fn committed(&mut self, id: u64, acked: &RangeSet) {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.is_committing(id)) else { return };
        match lane.committed(acked) {
            Ok(frames) => self.out.extend(frames),
            Err(error) => self.close(Closed::new(CloseCode::UNAVAILABLE, format!("cursor: {error}"))),
        }
        self.pump();
    }

    /// A commit failed and left nothing behind: the node sends again after `retry_after_ms`.
    pub fn failed(&mut self, id: u64, retry_after_ms: u32) {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.is_committing(id)) {
            self.out.extend(lane.failed(retry_after_ms));
        }
        self.pump();
    }

    /// Offers a delivery; one for the same collection that is on its way is dropped.
    pub fn offer(&mut self, now: Tick, parcel: Parcel) {
        let found = self.downlinks.iter_mut().find(|downlink| downlink.collection == parcel.collection());
        if let Some(downlink) = found {
            self.out.push_back(downlink.offer(now, parcel));
        }
    }

    /// Whether a delivery of this collection is on its way. What is newer is offered once the node has taken it, so
    /// that a slow link is never sent back to the start.
    pub fn is_offering(&self, collection: Collection) -> bool {
        self.downlinks.iter().any(|downlink| downlink.collection == collection && downlink.is_offering())
    }

    /// The version of a collection the node said it holds; `None` if it does not know the collection.
    pub fn held(&self, collection: Collection) -> Option<Version> {
        self.downlinks.iter().find(|downlink| downlink.collection == collection).map(|downlink| downlink.held)
    }

    /// Sets the speed of the backlog, in events per second; 0: no limit.
    pub fn pace(&mut self, drain_per_second: u32) {
        if self.phase == Phase::Up {
            self.out.push_back(Frame::control(Body::Pace(PaceV1 { drain_per_second })));
        }
    }

    /// Ends the connection.
    pub fn close(&mut self, closed: Closed) {
        if self.phase == Phase::Closed {
            return;
        }
        self.phase = Phase::Closed;
        self.lanes.clear();
        self.downlinks.clear();
        self.out.push_back(Frame::control(Body::Close(closed.to_wire())));
        self.events.push_back(CloudEvent::Disconnect(closed));
    }

    // ---- what the node says -----------------------------------------------------------------------------

    /// A frame from the node.
    pub fn handle_frame(&mut self, now: Tick, frame: Frame) {
        self.last_heard = now;
        let up = self.phase == Phase::Up;
        match frame.body {
            _ if self.phase == Phase::Closed => {}
            Body::Hello(hello) => self.hello(hello),
            Body::Close(close) => {
                self.phase = Phase::Closed;
                self.lanes.clear();
                self.events.push_back(CloudEvent::Disconnect(Closed::from_wire(close)));
            }
            Body::Ping(ping) => self.out.push_back(Frame::control(Body::Pong(PongV1 { nonce: ping.nonce }))),
            Body::Optional { .. } => {}
            Body::Batch(batch) if up => self.batch(matches!(frame.channel, Channel::Live(_)), &batch),
            Body::Checkpoint(wire) if up => match checkpoint::from_wire(&wire) {
                Some(signed) => self.events.push_back(CloudEvent::Checkpoint(signed)),
                None => self.close(Closed::new(CloseCode::PROTOCOL, "not a signed checkpoint")),
            },
            Body::Fetch(fetch) if up => {
                let found = collection_from_u8(fetch.collection);
                let downlink = self.downlinks.iter_mut().find(|downlink| Some(downlink.collection) == found);
                downlink.into_iter().for_each(|downlink| downlink.fetch(now, &fetch));
            }
            Body::Applied(applied) if up => self.applied(applied),
            other @ (Body::Welcome(_)
            | Body::Pong(_)
            | Body::Pace(_)
            | Body::Batch(_)
            | Body::Ack(_)
            | Body::Nack(_)
            | Body::Checkpoint(_)
            | Body::Offer(_)
            | Body::Fetch(_)
            | Body::Transfer(_)
            | Body::Applied(_)) => {
                self.close(Closed::new(CloseCode::PROTOCOL, format!("{} does not belong here", other.name())));
            }
        }
        self.pump();
    }

    fn hello(&mut self, hello: HelloV1) {
        if !matches!(self.phase, Phase::AwaitHello(_)) {
            return; // the same hello twice
        }
        let Some(version) = version::negotiate(&hello.versions) else {
            let reason = format!("HQ speaks versions {:?}", version::SUPPORTED);
            return self.close(Closed::new(CloseCode::VERSION, reason));
        };
        let too_much = hello.streams.len() > limits::HELLO_ITEMS
            || hello.collections.len() > limits::HELLO_ITEMS
            || hello.agent_version.len() > limits::WIRE_TEXT_BYTES;
        if too_much {
            return self.close(Closed::new(CloseCode::PROTOCOL, "the hello names more than a node has"));
        }
        let known = |held: &HeldV1| Some((collection_from_u8(held.collection)?, Version(held.version)));
        self.phase = Phase::AwaitWelcome(hello.collections.iter().filter_map(known).collect(), version);
        self.events.push_back(CloudEvent::Hello(hello));
    }

    fn batch(&mut self, live: bool, batch: &BatchV1) {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.stream as u8 == batch.stream) else {
            return self.close(Closed::new(CloseCode::PROTOCOL, "HQ does not take this stream"));
        };
        match lane.waits(batch) {
            Some(Taken::Again) => {}
            Some(Taken::Full) => self.out.push_back(nack(lane.stream, batch.first, batch.last, NO_ROOM_MS)),
            None => match batch.unpack() {
                Ok(records) => lane.queue(live, batch, records),
                Err(error) => self.close(Closed::new(CloseCode::PROTOCOL, error.to_string())),
            },
        }
    }

    fn applied(&mut self, applied: AppliedV1) {
        let Some(collection) = collection_from_u8(applied.collection) else { return };
        let version = if applied.wants_snapshot { Version(0) } else { Version(applied.version) };
        let found = self.downlinks.iter_mut().find(|downlink| downlink.collection == collection);
        if found.is_some_and(|downlink| downlink.applied(version, applied.wants_snapshot)) {
            self.events.push_back(CloudEvent::Holds { collection, version });
        }
    }

    fn pump(&mut self) {
        for lane in &mut self.lanes {
            if let Some(handed) = lane.hand_out(self.next_id) {
                self.next_id = self.next_id.wrapping_add(1);
                let (id, records, prev) = (handed.id, handed.records, handed.prev);
                self.events.push_back(CloudEvent::Ingest { id, stream: lane.stream, records, prev });
            }
        }
    }

    // ---- time and output --------------------------------------------------------------------------------

    /// To be called when [`Self::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Tick) {
        match self.phase {
            Phase::AwaitHello(until) if until <= now => {
                self.close(Closed::new(CloseCode::TIMEOUT, "no hello in time"));
            }
            Phase::AwaitWelcome(..) | Phase::Up if now.since(self.last_heard) >= limits::SILENCE_MS => {
                self.close(Closed::new(CloseCode::TIMEOUT, "the node has been silent"));
            }
            Phase::Up => self.out.extend(self.downlinks.iter_mut().filter_map(|downlink| downlink.expire(now))),
            Phase::AwaitHello(_) | Phase::AwaitWelcome(..) | Phase::Closed => {}
        }
    }

    /// When [`Self::handle_timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Tick> {
        match self.phase {
            Phase::AwaitHello(until) => Some(until),
            Phase::AwaitWelcome(..) | Phase::Up => {
                let silence = self.last_heard.after(limits::SILENCE_MS);
                self.downlinks.iter().filter_map(Downlink::next_deadline).chain([silence]).min()
            }
            Phase::Closed => None,
        }
    }

    /// The next frame to send; chunks of a transfer only when nothing else is left.
    pub fn poll_transmit(&mut self) -> Option<Frame> {
        self.out.pop_front().or_else(|| self.downlinks.iter_mut().find_map(Downlink::next_chunk))
    }

    /// The next thing to do or to know.
    pub fn poll_event(&mut self) -> Option<CloudEvent> {
        self.events.pop_front()
    }

    /// Batches that wait for or are in their commit.
    pub fn waiting(&self) -> usize {
        self.lanes.iter().map(Lane::waiting).sum()
    }

    /// Whether the connection is over.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }
}
