//! The node's end of the uplink. It lives as long as the agent, over many connections: says when to dial, greets,
//! asks the shell for records (live first, the backlog apart), sends them, sends them again until HQ has committed
//! them, takes collections down, has checkpoints signed. It believes HQ's acknowledgements and nothing else.

mod downlink;
mod inbound;
mod lane;
mod pace;
mod types;

use std::collections::VecDeque;

pub use downlink::Delivered;
use downlink::Downlink;
use lane::Lane;
pub use lane::LogHead;
use pace::{CheckpointClock, DrainRate};
pub use types::{EdgeConfig, EdgeEvent, EdgeStatus, Phase, ReadRequest};

use super::backoff::Backoff;
use super::{CloseCode, Closed, Tick, checkpoint};
use crate::collection::{Collection, Version};
use crate::enroll::SignedCheckpoint;
use crate::frame::v1::{HelloV1, PingV1, StreamHeadV1};
use crate::frame::{Body, Channel, Frame, pack};
use crate::id::{Seq, Stream};
use crate::ledger::{Hash, Record};
use crate::{limits, version};

/// How long a lane rests after the log could not be read, in milliseconds.
const READ_AGAIN_MS: u64 = 5_000;
/// Priorities of channels, for the outgoing queues.
const PRIORITIES: usize = 4;

/// The node's end.
#[derive(Debug)]
pub struct Edge {
    config: EdgeConfig,
    phase: Phase,
    lanes: Vec<Lane>,
    downlinks: Vec<Downlink>,
    drain: DrainRate,
    checkpoint: CheckpointClock,
    backoff: Backoff,
    acked_batch: bool,
    last_heard: Option<Tick>,
    next_ping: Tick,
    next_read: u64,
    settled: Vec<(Stream, u64)>,
    out: [VecDeque<Frame>; PRIORITIES],
    events: VecDeque<EdgeEvent>,
}

impl Edge {
    /// A session that will dial at once.
    pub fn new(now: Tick, config: EdgeConfig) -> Self {
        Self {
            phase: Phase::Waiting(now),
            lanes: config.streams.iter().map(|(stream, head)| Lane::new(*stream, *head)).collect(),
            downlinks: config.collections.iter().map(|(name, held)| Downlink::new(*name, *held)).collect(),
            drain: DrainRate::unlimited(),
            checkpoint: CheckpointClock::default(),
            backoff: Backoff::new(config.seed),
            acked_batch: false,
            last_heard: None,
            next_ping: now,
            next_read: 0,
            settled: config.streams.iter().map(|(stream, _)| (*stream, 0)).collect(),
            out: Default::default(),
            events: VecDeque::new(),
            config,
        }
    }

    // ---- what the shell reports -------------------------------------------------------------------------

    /// The dialled connection stands. `clock_ms` is the wall clock (Unix epoch), `uptime_ms` the agent's.
    pub fn connected(&mut self, now: Tick, clock_ms: i64, uptime_ms: u64) {
        if self.phase != Phase::Connecting {
            return;
        }
        self.phase = Phase::Greeting(now.after(limits::HELLO_TIMEOUT_MS));
        self.acked_batch = false;
        self.out.iter_mut().for_each(VecDeque::clear); // a close that the last connection did not take
        let hello = HelloV1 {
            versions: version::SUPPORTED.to_vec(),
            term: self.config.term.0,
            boot_nonce: self.config.boot_nonce,
            clock_ms,
            uptime_ms,
            agent_version: self.config.agent_version.clone(),
            streams: self.lanes.iter().map(head_of).collect(),
            collections: self.downlinks.iter().map(Downlink::held).collect(),
        };
        self.send(Frame::control(Body::Hello(hello)));
    }

    /// The connection is gone or was never made. Without effect when the session ended it itself.
    pub fn disconnected(&mut self, now: Tick, closed: &Closed) {
        if matches!(self.phase, Phase::Connecting | Phase::Greeting(_) | Phase::Up(_)) {
            self.fail(now, closed.retry_after_ms);
        }
    }

    /// Another address, carrier or route: try at once.
    pub fn network_changed(&mut self, now: Tick) {
        if matches!(self.phase, Phase::Waiting(_)) {
            self.phase = Phase::Waiting(now);
        }
    }

    /// A log has grown or was retired.
    pub fn log_moved(&mut self, now: Tick, stream: Stream, head: LogHead) {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.stream == stream) {
            lane.grown(head);
            if stream == Stream::Fiscal && matches!(self.phase, Phase::Up(_)) {
                self.checkpoint.grown(now, head.durable);
            }
        }
        self.pump(now);
    }

    /// The records of a read, ascending, and the chain hash before the first if known. Records beyond the range are
    /// welcome: they are not sent now, but prove that what lies between is not in the log (a damaged record that was
    /// set aside). No record at all proves nothing and counts as [`Self::read_failed`].
    pub fn supply(&mut self, now: Tick, id: u64, mut records: Vec<Record>, prev: Option<Hash>) {
        if records.is_empty() {
            return self.read_failed(now, id);
        }
        let lanes = self.lanes.iter_mut();
        let sent = lanes.filter_map(|lane| Some((lane.stream, lane.supplied(now, id, &mut records)?))).next();
        if let Some((stream, live)) = sent {
            if !live {
                self.drain.spent(records.len());
            }
            match pack(stream, &records, prev) {
                Ok(batch) => {
                    let channel = if live { Channel::Live(stream) } else { Channel::Backlog(stream) };
                    self.send(Frame { channel, body: Body::Batch(batch) });
                }
                // A record over the limits cannot be in a log; the range stays unsent and shows as pending.
                Err(error) => self.close(now, Closed::new(CloseCode::PROTOCOL, format!("own log: {error}"))),
            }
        }
        self.pump(now);
    }

    /// The log could not be read: the range is asked for again later.
    pub fn read_failed(&mut self, now: Tick, id: u64) {
        for lane in &mut self.lanes {
            lane.read_failed(id, now.after(READ_AGAIN_MS));
        }
        self.pump(now);
    }

    /// A signed checkpoint.
    pub fn checkpoint(&mut self, checkpoint: &SignedCheckpoint) {
        if matches!(self.phase, Phase::Up(_)) {
            self.send(Frame::control(Body::Checkpoint(checkpoint::to_wire(checkpoint))));
        }
    }

    /// Where a collection stands at the node. `wants_snapshot` when a delta did not fit.
    pub fn applied(&mut self, collection: Collection, version: Version, wants_snapshot: bool) {
        let downlink = self.downlinks.iter_mut().find(|downlink| downlink.is(collection as u8));
        if let Some(report) = downlink.map(|downlink| downlink.applied(version, wants_snapshot))
            && matches!(self.phase, Phase::Up(_))
        {
            self.send(report);
        }
    }

    /// Ends the session in good order, for good.
    pub fn stop(&mut self) {
        if matches!(self.phase, Phase::Greeting(_) | Phase::Up(_)) {
            let closed = Closed::new(CloseCode::SHUTDOWN, "the node stops");
            self.send(Frame::control(Body::Close(closed.to_wire())));
            self.events.push_back(EdgeEvent::Disconnect(closed));
        }
        self.hang_up();
        self.phase = Phase::Stopped;
    }

    // ---- time -------------------------------------------------------------------------------------------

    /// To be called when [`Self::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Tick) {
        match self.phase {
            Phase::Waiting(until) if until <= now => {
                self.phase = Phase::Connecting;
                self.events.push_back(EdgeEvent::Connect);
            }
            Phase::Greeting(until) if until <= now => {
                self.close(now, Closed::new(CloseCode::TIMEOUT, "no welcome in time"));
            }
            Phase::Up(since) => self.up_timeout(now, since),
            Phase::Waiting(_) | Phase::Connecting | Phase::Greeting(_) | Phase::Stopped => {}
        }
        self.pump(now);
    }

    fn up_timeout(&mut self, now: Tick, since: Tick) {
        if now.since(self.last_heard.unwrap_or(since)) >= limits::SILENCE_MS {
            return self.close(now, Closed::new(CloseCode::TIMEOUT, "HQ has been silent"));
        }
        if self.next_ping <= now {
            self.next_ping = now.after(limits::PING_AFTER_MS);
            self.send(Frame::control(Body::Ping(PingV1 { nonce: now.0 })));
        }
        if self.acked_batch && now.since(since) >= limits::STABLE_MS {
            self.backoff.forgive();
        }
        self.lanes.iter_mut().for_each(|lane| lane.expire(now));
        let again: Vec<Frame> = self.downlinks.iter_mut().filter_map(|downlink| downlink.expire(now)).collect();
        again.into_iter().for_each(|frame| self.send(frame));
        if self.checkpoint.take_due(now) {
            self.events.push_back(EdgeEvent::SignCheckpoint(Stream::Fiscal));
        }
    }

    /// When [`Self::handle_timeout`] is to be called next. A time that has passed stays until it has been called.
    pub fn poll_timeout(&self) -> Option<Tick> {
        match self.phase {
            Phase::Waiting(until) | Phase::Greeting(until) => Some(until),
            Phase::Connecting | Phase::Stopped => None,
            Phase::Up(since) => {
                let silence = self.last_heard.unwrap_or(since).after(limits::SILENCE_MS);
                let stable = (self.acked_batch && self.backoff.failures() > 0).then(|| since.after(limits::STABLE_MS));
                let lanes = self.lanes.iter().filter_map(|lane| lane.next_deadline());
                let downlinks = self.downlinks.iter().filter_map(Downlink::next_deadline);
                let others = [Some(silence), Some(self.next_ping), stable, self.drain.next(), self.checkpoint.next()];
                lanes.chain(downlinks).chain(others.into_iter().flatten()).min()
            }
        }
    }

    // ---- what the shell takes out -----------------------------------------------------------------------

    /// The next frame to send, the most urgent first.
    pub fn poll_transmit(&mut self) -> Option<Frame> {
        self.out.iter_mut().rev().find_map(VecDeque::pop_front)
    }

    /// The next thing to do or to know.
    pub fn poll_event(&mut self) -> Option<EdgeEvent> {
        self.events.pop_front()
    }

    /// How it stands.
    pub fn status(&self) -> EdgeStatus {
        let streams = self.lanes.iter().map(|lane| (lane.stream, lane.pending(), lane.in_flight())).collect();
        EdgeStatus { phase: self.phase, last_heard: self.last_heard, failures: self.backoff.failures(), streams }
    }

    // ---- inside -----------------------------------------------------------------------------------------

    fn send(&mut self, frame: Frame) {
        let priority = usize::try_from(frame.channel.priority()).unwrap_or(0);
        if let Some(queue) = self.out.get_mut(priority) {
            queue.push_back(frame);
        }
    }

    /// Asks for as many reads as there is room for, and reports marks that moved.
    fn pump(&mut self, now: Tick) {
        if !matches!(self.phase, Phase::Up(_)) {
            return;
        }
        let may = self.drain.may(now);
        for lane in &mut self.lanes {
            while let Some(span) = lane.next_read(now, may, self.next_read) {
                self.events.push_back(EdgeEvent::Read(ReadRequest {
                    id: self.next_read,
                    stream: lane.stream,
                    from: Seq(span.first),
                    to: Seq(span.last),
                    max_events: limits::BATCH_EVENTS,
                    max_bytes: limits::BATCH_BYTES,
                }));
                self.next_read = self.next_read.wrapping_add(1);
            }
            let known = self.settled.iter_mut().find(|(stream, _)| *stream == lane.stream);
            if let Some((stream, mark)) = known.filter(|(_, mark)| lane.settled() > *mark) {
                *mark = lane.settled();
                self.events.push_back(EdgeEvent::Settled { stream: *stream, upto: Seq(*mark) });
            }
        }
    }

    fn close(&mut self, now: Tick, closed: Closed) {
        let wire = closed.to_wire();
        self.fail(now, closed.retry_after_ms);
        self.send(Frame::control(Body::Close(wire)));
        self.events.push_back(EdgeEvent::Disconnect(closed));
    }

    fn fail(&mut self, now: Tick, retry_after_ms: u32) {
        if let Phase::Up(since) = self.phase
            && self.acked_batch
            && now.since(since) >= limits::STABLE_MS
        {
            self.backoff.forgive();
        }
        self.hang_up();
        self.phase = Phase::Waiting(now.after(self.backoff.failed(retry_after_ms)));
    }

    fn hang_up(&mut self) {
        self.events.retain(|event| !matches!(event, EdgeEvent::Read(_) | EdgeEvent::SignCheckpoint(_)));
        self.lanes.iter_mut().for_each(Lane::hung_up);
        self.downlinks.iter_mut().for_each(Downlink::hung_up);
        self.checkpoint.hung_up();
        self.out.iter_mut().for_each(|queue| queue.retain(|frame| matches!(frame.body, Body::Close(_))));
    }
}

fn head_of(lane: &Lane) -> StreamHeadV1 {
    StreamHeadV1 { stream: lane.stream as u8, first_kept: lane.head.first_kept, durable: lane.head.durable }
}
