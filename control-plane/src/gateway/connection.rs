//! One node: from its certificate to its goodbye. The one task that owns the session; work that takes time runs beside
//! it and comes back as an answer.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use protocol::collection::{Collection, Version};
use protocol::enroll::SignedCheckpoint;
use protocol::frame::v1::HelloV1;
use protocol::limits;
use protocol::session::cloud::{Cloud, CloudEvent};
use protocol::session::{CloseCode, Closed, Tick};
use quinn::Connection;
use rustls_pki_types::CertificateDer;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

use super::backend::{Backend, Refused};
use super::link::{Inbound, Link};
use super::registry::{Holder, Registry, Taken};
use super::work::{self, Done};
use crate::app::Hint;
use crate::domain::fleet::NodeIdentity;

const HELLO: Duration = Duration::from_millis(limits::HELLO_TIMEOUT_MS);
const SEEN_EVERY: Duration = Duration::from_millis(limits::SEEN_EVERY_MS);
const LOOK_EVERY: Duration = Duration::from_millis(limits::DOWNLINK_CHECK_MS);

/// Serves one connection to its end.
pub(super) async fn serve<B: Backend>(
    quic: Connection,
    backend: B,
    registry: Registry,
    drain_per_second: u32,
    ended: watch::Receiver<bool>,
) {
    let from = quic.remote_address();
    let (who, certificate) = match tokio::time::timeout(HELLO, admit(&quic, &backend)).await {
        Ok(Ok(admitted)) => admitted,
        Ok(Err(why)) => return turn_away(&quic, &why),
        Err(_) => return turn_away(&quic, &Closed::new(CloseCode::UNAVAILABLE, "head office is too busy")),
    };
    let link = match tokio::time::timeout(HELLO, Link::accept(quic.clone())).await {
        Ok(Ok(link)) => link,
        Ok(Err(why)) => return turn_away(&quic, &why),
        Err(_) => return turn_away(&quic, &Closed::new(CloseCode::TIMEOUT, "no hello in time")),
    };
    let session = Session {
        cloud: Cloud::new(Tick(0)),
        started: Instant::now(),
        link,
        who,
        certificate,
        from: from.to_string(),
        hints: backend.hints(),
        backend,
        registry,
        drain_per_second,
        seat: None,
        hello: None,
        work: JoinSet::new(),
        looking: Vec::new(),
        keeping: false,
        sworn: Vec::new(),
        over: None,
    };
    let span = tracing::info_span!("node", tenant = %who.tenant, shop = %who.shop, node = %who.node);
    session.run(ended).instrument(span).await;
}

async fn admit<B: Backend>(quic: &Connection, backend: &B) -> Result<(NodeIdentity, Arc<[u8]>), Closed> {
    let chain = quic.peer_identity().and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
    let leaf = chain.as_ref().and_then(|chain| chain.first());
    let leaf = leaf.ok_or_else(|| Closed::new(CloseCode::REFUSED, "no client certificate"))?;
    Ok((backend.admit(leaf.as_ref()).await?, Arc::from(leaf.as_ref())))
}

fn turn_away(quic: &Connection, why: &Closed) {
    metrics::counter!("tillway_gateway_refused_total", "reason" => why.code.name()).increment(1);
    tracing::warn!(from = %quic.remote_address(), code = why.code.name(), reason = why.reason, "turned away");
    quic.close(quinn::VarInt::from(why.code.0), why.reason.as_bytes());
}

struct Session<B> {
    cloud: Cloud,
    started: Instant,
    link: Link,
    who: NodeIdentity,
    certificate: Arc<[u8]>,
    from: String,
    backend: B,
    registry: Registry,
    drain_per_second: u32,
    seat: Option<Taken>,
    hello: Option<HelloV1>,
    hints: broadcast::Receiver<Hint>,
    work: JoinSet<Done>,
    /// Collections being looked up, and whether a hint came meanwhile.
    looking: Vec<(Collection, bool)>,
    /// Whether a checkpoint is being kept, and the newest of each log that waits for it.
    keeping: bool,
    sworn: Vec<SignedCheckpoint>,
    over: Option<Closed>,
}

impl<B: Backend> Session<B> {
    fn now(&self) -> Tick {
        Tick(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    async fn run(mut self, mut ended: watch::Receiver<bool>) {
        let mut seen = tokio::time::interval_at(self.started + SEEN_EVERY, SEEN_EVERY);
        let mut look = tokio::time::interval_at(self.started + LOOK_EVERY, LOOK_EVERY);
        let mut heard = false;
        while self.over.is_none() {
            let due = self.cloud.poll_timeout().map(|at| self.started + Duration::from_millis(at.0));
            tokio::select! {
                biased;
                _ = ended.changed() => self.cloud.close(goodbye()),
                why = given_up(&mut self.seat) => self.cloud.close(why),
                Some(done) = self.work.join_next() => match done {
                    Ok(done) => self.done(done),
                    Err(error) => self.died(&error),
                },
                inbound = self.link.inbox.recv() => {
                    heard = true;
                    self.inbound(inbound);
                }
                hint = self.hints.recv() => self.hinted(&hint),
                _ = seen.tick() => self.alive(std::mem::take(&mut heard)),
                _ = look.tick() => Collection::ALL.into_iter().for_each(|collection| self.look(collection)),
                () = sleep_until(due) => {
                    let now = self.now();
                    self.cloud.handle_timeout(now);
                }
            }
            self.drain();
        }
        self.finish().await;
    }

    fn inbound(&mut self, inbound: Option<Inbound>) {
        let now = self.now();
        match inbound {
            Some(Inbound::Frame(frame)) => {
                metrics::counter!("tillway_gateway_received_frames_total", "kind" => frame.body.name()).increment(1);
                self.cloud.handle_frame(now, frame);
            }
            Some(Inbound::Gone(why)) if why.code == CloseCode::PROTOCOL => self.cloud.close(why),
            Some(Inbound::Gone(why)) => self.over = Some(why),
            None => self.over = Some(Closed::new(CloseCode::TIMEOUT, "the connection is gone")),
        }
    }

    fn drain(&mut self) {
        loop {
            while let Some(frame) = self.cloud.poll_transmit() {
                if let Err(why) = self.link.send(&frame) {
                    self.over = Some(why);
                    return;
                }
            }
            let Some(event) = self.cloud.poll_event() else { return };
            self.act(event);
        }
    }

    fn act(&mut self, event: CloudEvent) {
        let (backend, who) = (self.backend.clone(), self.who);
        match event {
            CloudEvent::Hello(hello) => self.greet(hello),
            CloudEvent::Ingest { id, stream, records, .. } => {
                self.work.spawn(work::commit(backend, who, id, stream, records).in_current_span());
            }
            CloudEvent::Checkpoint(signed) => self.swear(signed),
            CloudEvent::Holds { collection, .. } => self.look(collection),
            CloudEvent::Disconnect(why) => self.over = Some(why),
        }
    }

    fn greet(&mut self, hello: HelloV1) {
        if hello.term != self.who.term.0 {
            let reason = format!("the hello is of term {}, the certificate of {}", hello.term, self.who.term);
            return self.cloud.close(Closed::new(CloseCode::OLD_TERM, reason));
        }
        let (tenant, node, certificate) = (self.who.tenant, self.who.node, Arc::clone(&self.certificate));
        let holder = Holder { tenant, node, certificate };
        self.seat = Some(self.registry.take(holder, hello.boot_nonce));
        let report = work::report(&hello, self.from.clone(), true);
        self.work.spawn(work::greet(self.backend.clone(), self.who, report, self.drain_per_second).in_current_span());
        self.hello = Some(hello);
    }

    /// Keeps checkpoints one at a time; of those that come meanwhile the newest of each log is next.
    fn swear(&mut self, signed: SignedCheckpoint) {
        self.sworn.retain(|waiting| waiting.checkpoint.stream != signed.checkpoint.stream);
        self.sworn.push(signed);
        self.keep_next();
    }

    fn keep_next(&mut self) {
        if !self.keeping && !self.sworn.is_empty() {
            self.keeping = true;
            let signed = self.sworn.remove(0);
            self.work.spawn(work::keep(self.backend.clone(), self.who, signed).in_current_span());
        }
    }

    /// Work that ended without an answer leaves the session waiting for ever: the node starts over instead.
    fn died(&mut self, error: &tokio::task::JoinError) {
        metrics::counter!("tillway_gateway_work_died_total").increment(1);
        tracing::error!(node = %self.who.node, %error, "a piece of work for a node died");
        self.cloud.close(Closed::new(CloseCode::UNAVAILABLE, "head office met a fault; nothing of it was kept"));
    }

    fn alive(&mut self, heard: bool) {
        if let Some(hello) = self.hello.as_ref().filter(|_| heard) {
            // The clock in the hello is old by now: HQ's own time keeps the skew as it was measured.
            let passed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(0);
            let mut report = work::report(hello, self.from.clone(), false);
            report.clock = report.clock.plus_millis(passed);
            self.work.spawn(work::alive(self.backend.clone(), self.who, report).in_current_span());
        }
    }

    fn hinted(&mut self, hint: &Result<Hint, broadcast::error::RecvError>) {
        match hint {
            Ok(hint) if hint.tenant == self.who.tenant => self.look(hint.collection),
            Ok(_) => {}
            // Too many hints at once: look at everything instead.
            Err(_) => Collection::ALL.into_iter().for_each(|collection| self.look(collection)),
        }
    }

    /// Looks whether there is something newer, once at a time and not while a delivery is on its way.
    fn look(&mut self, collection: Collection) {
        if let Some((_, again)) = self.looking.iter_mut().find(|(of, _)| *of == collection) {
            *again = true;
            return;
        }
        let Some(have) = self.cloud.held(collection).filter(|_| !self.cloud.is_offering(collection)) else { return };
        self.looking.push((collection, false));
        self.work.spawn(work::look(self.backend.clone(), self.who, collection, have).in_current_span());
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Greeted(Ok(greeting)) => {
                tracing::info!(node = %self.who.node, tenant = %self.who.tenant, from = self.from, "node connected");
                self.cloud.welcome(greeting);
            }
            Done::Greeted(Err(why)) => self.cloud.close(why),
            Done::Committed { id, outcome: Ok(acked) } => self.cloud.committed(id, &acked),
            Done::Committed { id, outcome: Err(Refused::Again(_)) } => {
                let more = u32::try_from(id % u64::from(limits::COMMIT_AGAIN_MS)).unwrap_or(0);
                self.cloud.failed(id, limits::COMMIT_AGAIN_MS.saturating_add(more));
            }
            Done::Committed { outcome: Err(Refused::Never(reason)), .. } | Done::Checkpoint(Err(reason)) => {
                self.cloud.close(Closed::new(CloseCode::PROTOCOL, reason));
            }
            Done::Downlink { collection, found } => self.found(collection, found),
            Done::Checkpoint(Ok(())) => {
                self.keeping = false;
                self.keep_next();
            }
            Done::Nothing => {}
        }
    }

    fn found(&mut self, collection: Collection, found: Result<Option<protocol::session::cloud::Parcel>, String>) {
        let at = self.looking.iter().position(|(of, _)| *of == collection);
        let again = at.is_some_and(|at| self.looking.remove(at).1);
        let now = self.now();
        match found {
            Ok(Some(parcel)) => {
                let (Version(version), bytes) = (parcel.to(), parcel.wire_bytes());
                tracing::debug!(node = %self.who.node, collection = collection.name(), version, bytes, "offered");
                self.cloud.offer(now, parcel);
            }
            Ok(None) if again => self.look(collection),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(node = %self.who.node, collection = collection.name(), error, "no delivery could be made");
            }
        }
    }

    /// Ends the connection. Commits under way are finished, so that nothing is thrown away that HQ has already done.
    async fn finish(mut self) {
        let why = self.over.take().unwrap_or_else(goodbye);
        metrics::counter!("tillway_gateway_closed_total", "code" => why.code.name()).increment(1);
        let (node, from, code, reason) = (self.who.node, &self.from, why.code.name(), &why.reason);
        match why.code {
            CloseCode::PROTOCOL | CloseCode::VERSION | CloseCode::OLD_TERM | CloseCode::REFUSED => {
                tracing::warn!(%node, from, code, reason, "node disconnected");
            }
            _ => tracing::info!(%node, from, code, reason, "node disconnected"),
        }
        drop(self.seat.take());
        let Self { link, mut work, .. } = self;
        let finished = async { while work.join_next().await.is_some() {} };
        let ((), in_time) = tokio::join!(link.close(&why), tokio::time::timeout(HELLO, finished));
        if in_time.is_err() {
            tracing::error!(node = %self.who.node, "a commit did not end; it is left to the database");
        }
    }
}

fn goodbye() -> Closed {
    Closed { code: CloseCode::SHUTDOWN, reason: "head office stops".to_owned(), retry_after_ms: 1_000 }
}

async fn given_up(seat: &mut Option<Taken>) -> Closed {
    match seat {
        // An error cannot happen: the sender lives in the registry until this seat is dropped or given up.
        Some(seat) => (&mut seat.given_up).await.unwrap_or_else(|_| goodbye()),
        None => pending().await,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => pending().await,
    }
}
