//! The run itself: one queue of what happens when, both sessions, and the loop that drains them.

use std::collections::BTreeMap;

use super::faults::Faults;
use super::model::{ModelHq, ModelLog, Violation};
use super::steps::Step;
use crate::collection::{Collection, Version};
use crate::frame::Frame;
use crate::id::{Stream, Term};
use crate::session::backoff::Jitter;
use crate::session::cloud::Cloud;
use crate::session::edge::{Edge, EdgeConfig, EdgeStatus, Phase};
use crate::session::{CloseCode, Closed, Tick};

/// Steps after which a run is taken for a livelock.
const MAX_STEPS: u64 = 2_000_000;

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Edge,
    Cloud,
}

/// Both ends and everything between them.
#[derive(Debug)]
pub struct Pair {
    /// The virtual clock.
    pub now: Tick,
    /// What may go wrong from here on.
    pub faults: Faults,
    /// The node's log.
    pub log: ModelLog,
    /// HQ's database.
    pub hq: ModelHq,
    /// Version of the catalogue at HQ.
    pub published: Version,
    /// Version of the catalogue at the node.
    pub held: Version,
    /// Signed checkpoints that reached HQ.
    pub checkpoints: u64,
    pub(super) edge: Edge,
    /// Grows with every restart of the node: answers to an earlier life are dropped.
    pub(super) life: u64,
    /// Connections HQ believes in.
    pub(super) clouds: BTreeMap<u64, Cloud>,
    /// The connection the node believes in.
    pub(super) connection: u64,
    pub(super) cut_until: Tick,
    pub(super) rng: Jitter,
    pub(super) latest: BTreeMap<(u64, Side, u8), u64>,
    queue: BTreeMap<(Tick, u64), Step>,
    ties: u64,
    steps: u64,
}

impl Pair {
    /// A node with a log of some records, and an empty HQ.
    pub fn new(seed: u64, faults: Faults, log: ModelLog) -> Self {
        let now = Tick(1_000);
        let mut rng = Jitter::new(seed);
        let edge = Edge::new(now, config(&log, Version(0), rng.next(), 0));
        Self {
            now,
            faults,
            log,
            hq: ModelHq::default(),
            published: Version(0),
            held: Version(0),
            checkpoints: 0,
            edge,
            life: 0,
            clouds: BTreeMap::new(),
            connection: 0,
            cut_until: Tick(0),
            rng,
            latest: BTreeMap::new(),
            queue: BTreeMap::new(),
            ties: 0,
            steps: 0,
        }
    }

    /// How the node's end stands.
    pub fn status(&self) -> EdgeStatus {
        self.edge.status()
    }

    /// Whether the node is in business with HQ.
    pub fn is_up(&self) -> bool {
        matches!(self.edge.status().phase, Phase::Up(_))
    }

    /// Writes records into the log, some of them damaged if the faults say so.
    pub fn append(&mut self, records: u64) {
        for _ in 0..records {
            let damaged = self.happens(self.faults.damaged);
            self.log.append(damaged);
        }
        let (stream, head) = (self.log.stream(), self.log.head());
        self.edge.log_moved(self.now, stream, head);
    }

    /// A new version of the catalogue at HQ.
    pub fn publish(&mut self) {
        self.published = Version(self.published.0 + 1);
        let open: Vec<u64> = self.clouds.keys().copied().collect();
        for connection in open {
            self.offer_if_newer(connection);
        }
    }

    /// No frame passes for a while. Neither side is told.
    pub fn cut(&mut self, millis: u64) {
        self.cut_until = self.cut_until.max(self.now.after(millis));
    }

    /// Kills the agent: memory goes, the log stays.
    pub fn restart_edge(&mut self) {
        self.life += 1;
        self.connection += 1;
        let seed = self.rng.next();
        self.edge = Edge::new(self.now, config(&self.log, self.held, seed, self.life));
    }

    /// Kills the gateway: connections and unfinished commits go, what is committed stays.
    pub fn restart_cloud(&mut self) {
        self.clouds.clear();
        let told = self.now.after(self.rng.up_to(2_000));
        if self.rng.up_to(1) == 0 {
            self.later(told, Step::PeerGone { connection: self.connection, side: Side::Edge });
        }
    }

    /// Runs until a time, then stops.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub fn run_until(&mut self, until: Tick) -> Result<(), Violation> {
        self.drain()?;
        while let Some(next) = self.next_time().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err(Violation(format!("a livelock at {:?}: {:?}", self.now, self.edge.status())));
            }
            let due = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now).map(|entry| entry.remove());
            match due {
                Some(step) => self.step(step)?,
                None => self.timeouts(),
            }
            self.drain()?;
        }
        self.now = self.now.max(until);
        Ok(())
    }

    /// Stops all faults and runs until HQ has everything.
    ///
    /// # Errors
    /// A [`Violation`] if something is lost or doubled, or if it does not settle within `within_ms`.
    pub fn settle(&mut self, within_ms: u64) -> Result<(), Violation> {
        self.faults = Faults { bug: self.faults.bug, ..Faults::none() };
        // One more record proves that a damaged one at the very end is gone, as the next sale does in a shop.
        self.log.append(false);
        self.edge.log_moved(self.now, self.log.stream(), self.log.head());
        let end = self.now.after(within_ms);
        while self.now < end {
            let next = Tick(self.now.0 + 1_000);
            self.run_until(next)?;
            if self.pending() == 0 && self.held == self.published && self.is_up() {
                break;
            }
        }
        if self.pending() > 0 || self.held != self.published {
            let (held, published) = (self.held.0, self.published.0);
            return Err(Violation(format!("not settled: {:?}, catalogue {held} of {published}", self.edge.status())));
        }
        self.log.compare(&self.hq)
    }

    /// Records the node does not know to be at HQ.
    pub fn pending(&self) -> u64 {
        self.edge.status().streams.iter().map(|(_, pending, _)| pending).sum()
    }

    // ---- inside -----------------------------------------------------------------------------------------

    fn next_time(&self) -> Option<Tick> {
        let clouds = self.clouds.values().filter_map(Cloud::poll_timeout);
        let queue = self.queue.keys().next().map(|(at, _)| *at);
        clouds.chain(queue).chain(self.edge.poll_timeout()).min()
    }

    /// Only what is due, as the shells do: a session that forgets a time that has passed would sleep over it.
    fn timeouts(&mut self) {
        if self.edge.poll_timeout().is_some_and(|at| at <= self.now) {
            self.edge.handle_timeout(self.now);
        }
        self.clouds.values_mut().for_each(|cloud| cloud.handle_timeout(self.now));
    }

    fn drain(&mut self) -> Result<(), Violation> {
        loop {
            while let Some(frame) = self.edge.poll_transmit() {
                self.send(self.connection, Side::Cloud, &frame)?;
            }
            let Some(event) = self.edge.poll_event() else { break };
            self.edge_event(event)?;
        }
        let connections: Vec<u64> = self.clouds.keys().copied().collect();
        for connection in connections {
            loop {
                while let Some(frame) = self.clouds.get_mut(&connection).and_then(Cloud::poll_transmit) {
                    self.send(connection, Side::Edge, &frame)?;
                }
                let Some(event) = self.clouds.get_mut(&connection).and_then(Cloud::poll_event) else { break };
                self.cloud_event(connection, event)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, connection: u64, to: Side, frame: &Frame) -> Result<(), Violation> {
        let bytes =
            frame.encode().map_err(|error| Violation(format!("{} cannot be encoded: {error}", frame.body.name())))?;
        let delay = self.between(self.faults.delay_ms);
        if self.faults.ordered {
            let free = self.now.max(self.cut_until).after(delay).0;
            let latest = self.latest.entry((connection, to, frame.channel.to_u8())).or_default();
            *latest = free.max(*latest);
            let at = Tick(*latest);
            self.later(at, Step::Arrive { connection, to, bytes, flipped: false });
            return Ok(());
        }
        if self.now < self.cut_until || self.happens(self.faults.loss) {
            return Ok(());
        }
        if self.happens(self.faults.twice) {
            let again = self.now.after(self.between(self.faults.delay_ms) * 3);
            self.later(again, Step::Arrive { connection, to, bytes: bytes.clone(), flipped: false });
        }
        let mut bytes = bytes;
        let flipped = self.happens(self.faults.flip);
        if flipped {
            let bit = usize::try_from(self.rng.up_to(bytes.len() as u64 * 8 - 1)).unwrap_or(0);
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
        self.later(self.now.after(delay), Step::Arrive { connection, to, bytes, flipped });
        Ok(())
    }

    pub(super) fn later(&mut self, at: Tick, step: Step) {
        self.ties += 1;
        self.queue.insert((at, self.ties), step);
    }

    pub(super) fn between(&mut self, (least, most): (u64, u64)) -> u64 {
        least + self.rng.up_to(most.saturating_sub(least))
    }

    pub(super) fn happens(&mut self, thousandths: u64) -> bool {
        thousandths > 0 && self.rng.up_to(999) < thousandths
    }

    pub(super) fn lost(&self) -> Closed {
        Closed::new(CloseCode::TIMEOUT, "the connection is gone")
    }
}

fn config(log: &ModelLog, held: Version, seed: u64, life: u64) -> EdgeConfig {
    let mut boot_nonce = [0; 16];
    boot_nonce[..8].copy_from_slice(&life.to_be_bytes());
    EdgeConfig {
        term: Term(1),
        boot_nonce,
        agent_version: "model".to_owned(),
        seed,
        streams: vec![(log.stream(), log.head()), (Stream::Telemetry, crate::session::edge::LogHead::default())],
        collections: vec![(Collection::Catalogue, held)],
    }
}
