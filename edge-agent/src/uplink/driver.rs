//! The one task that owns the session: turns what happens (frames, log heads, reads, answers, time) into calls, and
//! what the session wants into reads, signatures and dials.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use protocol::enroll::CheckpointV1;
use protocol::id::Stream;
use protocol::ledger::Record;
use protocol::session::edge::{Delivered, Edge, EdgeConfig, EdgeEvent, LogHead, Phase, ReadRequest};
use protocol::session::{CloseCode, Closed, Tick};
use protocol::timestamp::Timestamp;
use quinn::crypto::rustls::QuicClientConfig;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::endpoint::{Dialled, dial};
use super::link::{Inbound, Link};
use super::status::{self, Status};
use super::{Applied, Options, STREAMS, Settled};
use crate::ledger::{LedgerError, Logs};
use crate::telemetry::sale::OnTheWay;

/// What goes out to the agent.
pub(super) struct Outlets {
    pub(super) deliveries: mpsc::Sender<Delivered>,
    pub(super) settled: watch::Sender<Settled>,
    pub(super) status: watch::Sender<Status>,
}

/// What comes in from the agent.
pub(super) struct Inlets {
    pub(super) applied: mpsc::Receiver<Applied>,
    pub(super) nudge: watch::Receiver<u64>,
    pub(super) stop: watch::Receiver<bool>,
}

type ReadAnswer = (ReadRequest, Result<Vec<Record>, LedgerError>);

pub(super) struct Driver {
    options: Options,
    tls: Arc<QuicClientConfig>,
    logs: Logs,
    outlets: Outlets,
    edge: Edge,
    started: Instant,
    link: Option<Link>,
    dials: JoinSet<Result<Dialled, Closed>>,
    reads: JoinSet<ReadAnswer>,
    closing: JoinSet<()>,
    last_contact: Option<Timestamp>,
    last_error: Option<String>,
    clock_skew_ms: Option<i64>,
    /// Sales whose trace goes on at head office.
    on_the_way: OnTheWay,
}

fn head_of(logs: &Logs, stream: Stream) -> LogHead {
    let head = logs.head(stream);
    LogHead { first_kept: head.first_kept.0, durable: head.durable.0 }
}

impl Driver {
    pub(super) fn new(
        options: Options,
        tls: Arc<QuicClientConfig>,
        logs: Logs,
        outlets: Outlets,
        seed: u64,
        boot_nonce: [u8; 16],
    ) -> Self {
        let config = EdgeConfig {
            term: logs.term(),
            boot_nonce,
            agent_version: options.agent_version.clone(),
            seed,
            streams: STREAMS.iter().map(|stream| (*stream, head_of(&logs, *stream))).collect(),
            collections: options.collections.clone(),
        };
        Self {
            edge: Edge::new(Tick(0), config),
            options,
            tls,
            logs,
            outlets,
            started: Instant::now(),
            link: None,
            dials: JoinSet::new(),
            reads: JoinSet::new(),
            closing: JoinSet::new(),
            last_contact: None,
            last_error: None,
            clock_skew_ms: None,
            on_the_way: OnTheWay::default(),
        }
    }

    fn now(&self) -> Tick {
        Tick(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) async fn run(mut self, mut inlets: Inlets) {
        let [fiscal, telemetry] = STREAMS;
        let (mut fiscal_head, mut telemetry_head) = (self.logs.watch(fiscal), self.logs.watch(telemetry));
        loop {
            self.drain();
            self.publish();
            let due = self.edge.poll_timeout().map(|at| self.started + Duration::from_millis(at.0));
            tokio::select! {
                biased;
                _ = inlets.stop.changed() => break,
                Some(inbound) = next_inbound(&mut self.link) => self.inbound(inbound),
                Some(dialled) = self.dials.join_next() => self.dialled(dialled).await,
                Some(Ok((read, answer))) = self.reads.join_next() => self.answer(read, answer),
                Some(_) = self.closing.join_next() => {}
                Some(applied) = inlets.applied.recv() => {
                    self.edge.applied(applied.collection, applied.version, applied.wants_snapshot);
                }
                Ok(()) = fiscal_head.changed() => self.log_moved(fiscal),
                Ok(()) = telemetry_head.changed() => self.log_moved(telemetry),
                Ok(()) = inlets.nudge.changed() => {
                    let now = self.now();
                    self.edge.network_changed(now);
                }
                () = sleep_until(due) => {}
            }
            let now = self.now();
            if self.edge.poll_timeout().is_some_and(|at| at <= now) {
                self.edge.handle_timeout(now);
            }
        }
        self.edge.stop();
        self.drain();
        self.publish();
        while self.closing.join_next().await.is_some() {}
    }

    fn log_moved(&mut self, stream: Stream) {
        let (now, head) = (self.now(), head_of(&self.logs, stream));
        self.edge.log_moved(now, stream, head);
    }

    /// Does what the session wants until it wants nothing more.
    fn drain(&mut self) {
        loop {
            while let Some(frame) = self.edge.poll_transmit() {
                let sent = self.link.as_mut().map_or(Ok(()), |link| link.send(&frame));
                if let Err(why) = sent {
                    self.lost(why);
                }
            }
            let Some(event) = self.edge.poll_event() else { return };
            self.act(event);
        }
    }

    fn act(&mut self, event: EdgeEvent) {
        match event {
            EdgeEvent::Connect => {
                let (hq, name) = (self.options.hq.clone(), self.options.server_name.clone());
                let tls = Arc::clone(&self.tls);
                self.dials.spawn(async move { dial(&hq, &name, &tls).await });
            }
            EdgeEvent::Disconnect(why) => self.hang_up(why),
            EdgeEvent::Welcomed { hq_time_ms, .. } => {
                let skew = self.options.clock.now().0.saturating_sub(hq_time_ms);
                self.last_error = None;
                self.clock_skew_ms = Some(skew);
                metrics::counter!("tillway_uplink_connections_total").increment(1);
                tracing::info!(hq = %self.options.hq, clock_skew_ms = skew, "uplink is up");
            }
            EdgeEvent::Read(read) => {
                let logs = self.logs.clone();
                self.reads.spawn_blocking(move || {
                    let answer = logs.read(read.stream, read.from, read.max_events, read.max_bytes);
                    (read, answer)
                });
            }
            EdgeEvent::Settled { stream, upto } => {
                if stream == Stream::Fiscal {
                    self.on_the_way.settled(upto);
                }
                self.outlets.settled.send_modify(|settled| settled.set(stream, upto));
            }
            EdgeEvent::AheadOfLog { stream, hq, log } => {
                metrics::counter!("tillway_uplink_ahead_of_log_total", "stream" => stream.name()).increment(1);
                tracing::error!(%stream, %hq, %log, "HQ holds records that this log does not: was the disk restored?");
            }
            EdgeEvent::SignCheckpoint(stream) => self.sign(stream),
            EdgeEvent::Delivered(delivered) => {
                let (collection, to) = (delivered.collection.name(), delivered.to.0);
                tracing::info!(collection, version = to, bytes = delivered.bytes.len(), "delivery from HQ");
                if let Err(error) = self.outlets.deliveries.try_send(delivered) {
                    tracing::error!(collection, %error, "nobody takes the delivery");
                }
            }
        }
    }

    fn sign(&mut self, stream: Stream) {
        let head = self.logs.head(stream);
        let at = self.options.clock.now();
        let checkpoint = CheckpointV1 { stream, term: head.term, seq: head.durable, head_hash: head.hash, at };
        if let Some(signed) = self.options.identity.sign(checkpoint) {
            self.edge.checkpoint(&signed);
        }
    }

    fn answer(&mut self, read: ReadRequest, answer: Result<Vec<Record>, LedgerError>) {
        let now = self.now();
        match answer {
            Ok(records) => {
                if read.stream == Stream::Fiscal {
                    let term = self.logs.term();
                    records.iter().for_each(|record| self.on_the_way.handed(term, record.seq, &record.event));
                }
                self.edge.supply(now, read.id, records, None);
            }
            Err(error) => {
                tracing::error!(stream = %read.stream, from = %read.from, %error, "the log cannot be read for HQ");
                self.edge.read_failed(now, read.id);
            }
        }
    }

    async fn dialled(&mut self, dialled: Result<Result<Dialled, Closed>, tokio::task::JoinError>) {
        let dialled = dialled.unwrap_or_else(|error| Err(Closed::new(CloseCode::TIMEOUT, error.to_string())));
        let opened = match dialled {
            Ok(dialled) => Link::open(dialled).await,
            Err(why) => Err(why),
        };
        match opened {
            Ok(link) => {
                self.link = Some(link);
                let (now, clock) = (self.now(), self.options.clock.now());
                self.edge.connected(now, clock.0, now.0);
            }
            Err(why) => self.lost(why),
        }
    }

    fn inbound(&mut self, inbound: Inbound) {
        let now = self.now();
        match inbound {
            Inbound::Frame(frame) => {
                self.last_contact = Some(self.options.clock.now());
                self.edge.handle_frame(now, frame);
            }
            Inbound::Gone(why) => self.lost(why),
        }
    }

    /// The connection ended, or was not made, without the session's doing.
    fn lost(&mut self, why: Closed) {
        let now = self.now();
        self.edge.disconnected(now, &why);
        self.hang_up(why);
    }

    fn hang_up(&mut self, why: Closed) {
        metrics::counter!("tillway_uplink_closed_total", "code" => why.code.name()).increment(1);
        if self.last_error.as_ref() != Some(&why.reason) {
            tracing::warn!(code = why.code.name(), reason = why.reason, "no uplink");
        }
        self.last_error = Some(why.reason.clone());
        while let Some(frame) = self.edge.poll_transmit() {
            if let Some(link) = self.link.as_mut() {
                link.send(&frame).ok();
            }
        }
        if let Some(link) = self.link.take() {
            self.closing.spawn(link.close(why)); // apart: the next try does not wait for the goodbye
        }
    }

    fn publish(&self) {
        let now = self.edge.status();
        let pending = |stream| now.streams.iter().find(|(of, ..)| *of == stream).map_or(0, |(_, pending, _)| *pending);
        let link = match now.phase {
            Phase::Waiting(_) | Phase::Stopped => status::Link::Down,
            Phase::Connecting | Phase::Greeting(_) => status::Link::Trying,
            Phase::Up(_) => status::Link::Up,
        };
        let status = Status {
            link,
            last_contact: self.last_contact,
            pending: pending(Stream::Fiscal),
            failures: now.failures,
            last_error: self.last_error.clone(),
            clock_skew_ms: self.clock_skew_ms,
        };
        metrics::gauge!("tillway_uplink_connected").set(if status.is_connected() { 1.0 } else { 0.0 });
        for stream in STREAMS {
            let count = u32::try_from(pending(stream)).unwrap_or(u32::MAX);
            metrics::gauge!("tillway_uplink_pending_events", "stream" => stream.name()).set(f64::from(count));
        }
        self.outlets.status.send_if_modified(|old| {
            let changed = *old != status;
            *old = status;
            changed
        });
    }
}

async fn next_inbound(link: &mut Option<Link>) -> Option<Inbound> {
    match link {
        Some(link) => link.inbox.recv().await,
        None => pending().await,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => pending().await,
    }
}
