//! A head office without a database, for tests of the uplink: admits nodes by the name in their certificate, counts
//! how often each record took effect, can be made to fail. It forgets everything with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::collection::{Collection, Delivery, Version};
use protocol::enroll::{NodeUrn, SignedCheckpoint};
use protocol::id::{NodeId, Stream, TenantId};
use protocol::ledger::Record;
use protocol::session::ack::RangeSet;
use protocol::session::{CloseCode, Closed};
use protocol::timestamp::Timestamp;
use tokio::sync::{broadcast, watch};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::backend::{Backend, Refused};
use super::{Gateway, GatewayConfig, GatewayError, start_with};
use crate::app::Hint;
use crate::domain::fleet::{NodeIdentity, NodeReport};

type Log = (NodeId, u32, Stream);

#[derive(Debug, Default)]
struct State {
    cursors: BTreeMap<Log, RangeSet>,
    effects: BTreeMap<(NodeId, u64), u32>,
    resent: u64,
    checkpoints: Vec<(NodeId, SignedCheckpoint)>,
    deliveries: BTreeMap<u8, Delivery>,
    sessions: u64,
    failures: u32,
    revoked: Vec<NodeId>,
    dies: bool,
    keeping: usize,
}

/// The head office in memory. Clones are the same one.
#[derive(Clone, Debug)]
pub struct MemoryHq {
    state: Arc<Mutex<State>>,
    hints: broadcast::Sender<Hint>,
    changed: watch::Sender<u64>,
    held: watch::Sender<bool>,
}

impl Default for MemoryHq {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            hints: broadcast::Sender::new(16),
            changed: watch::Sender::new(0),
            held: watch::Sender::new(false),
        }
    }
}

impl MemoryHq {
    /// Opens a gateway over it.
    ///
    /// # Errors
    /// As [`super::start`].
    pub fn start(&self, config: GatewayConfig) -> Result<Gateway, GatewayError> {
        start_with(self.clone(), config)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Moves with everything that happens, for tests that wait for something.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// How often each fiscal record of a node took effect, by seq.
    pub fn effects(&self, node: NodeId) -> BTreeMap<u64, u32> {
        let of_node = |((of, seq), times): (&(NodeId, u64), &u32)| (*of == node).then_some((*seq, *times));
        self.state().effects.iter().filter_map(of_node).collect()
    }

    /// Records that came again and were left out.
    pub fn resent(&self) -> u64 {
        self.state().resent
    }

    /// Sessions that began.
    pub fn sessions(&self) -> u64 {
        self.state().sessions
    }

    /// Checkpoints that came.
    pub fn checkpoints(&self) -> Vec<(NodeId, SignedCheckpoint)> {
        self.state().checkpoints.clone()
    }

    /// The next commits fail, this many of them.
    pub fn fail_commits(&self, count: u32) {
        self.state().failures = count;
    }

    /// The next commit dies without an answer.
    pub fn die_at_commit(&self) {
        self.state().dies = true;
    }

    /// Checkpoints are kept only once this is taken back.
    pub fn hold_checkpoints(&self, hold: bool) {
        self.held.send_replace(hold);
    }

    /// Checkpoints that are being kept right now.
    pub fn checkpoints_at_work(&self) -> usize {
        self.state().keeping
    }

    /// Admits a node no longer.
    pub fn revoke(&self, node: NodeId) {
        self.state().revoked.push(node);
    }

    /// Publishes a collection, whole, to the nodes of a tenant.
    pub fn publish(&self, hint: Hint, delivery: Delivery) {
        self.state().deliveries.insert(hint.collection as u8, delivery);
        if self.hints.send(hint).is_err() {
            tracing::trace!("no node is connected");
        }
    }
}

fn urn_of(certificate: &[u8]) -> Option<NodeUrn> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok().flatten()?;
    let uri = |name: &GeneralName<'_>| if let GeneralName::URI(uri) = name { uri.parse().ok() } else { None };
    let mut urns = names.value.general_names.iter().filter_map(uri);
    urns.next()
}

impl Backend for MemoryHq {
    async fn admit(&self, certificate: &[u8]) -> Result<NodeIdentity, Closed> {
        let refused = |reason: &str| Closed::new(CloseCode::REFUSED, reason);
        let NodeUrn { tenant, shop, node, term } =
            urn_of(certificate).ok_or_else(|| refused("the certificate names no node"))?;
        if self.state().revoked.contains(&node) {
            return Err(refused("the certificate was revoked"));
        }
        Ok(NodeIdentity { tenant, shop, node, term })
    }

    async fn fallen(&self, _: TenantId, certificates: Vec<Arc<[u8]>>) -> Result<Vec<Arc<[u8]>>, String> {
        let revoked = |der: &Arc<[u8]>| urn_of(der).is_none_or(|urn| self.state().revoked.contains(&urn.node));
        Ok(certificates.into_iter().filter(revoked).collect())
    }

    async fn seen(&self, _: &NodeIdentity, report: NodeReport) {
        self.state().sessions += u64::from(report.connected);
        self.touch();
    }

    async fn cursor(&self, who: &NodeIdentity, stream: Stream) -> Result<RangeSet, String> {
        Ok(self.state().cursors.get(&(who.node, who.term.0, stream)).cloned().unwrap_or_default())
    }

    async fn ingest(&self, who: &NodeIdentity, stream: Stream, records: Vec<Record>) -> Result<RangeSet, Refused> {
        let mut acked = RangeSet::new();
        let mut state = self.state();
        if std::mem::take(&mut state.dies) {
            drop(state);
            #[allow(clippy::panic, reason = "what a fault in the code would do, for tests that survive one")]
            {
                panic!("told to die");
            }
        }
        if state.failures > 0 {
            state.failures -= 1;
            return Err(Refused::Again("told to fail".to_owned()));
        }
        for record in &records {
            let cursor = state.cursors.entry((who.node, who.term.0, stream)).or_default();
            if cursor.contains(record.seq) {
                state.resent += 1;
            } else {
                cursor.insert(record.seq, record.seq).map_err(|error| Refused::Again(error.to_string()))?;
                if stream == Stream::Fiscal {
                    *state.effects.entry((who.node, record.seq.0)).or_default() += 1;
                }
            }
            acked.insert(record.seq, record.seq).map_err(|error| Refused::Again(error.to_string()))?;
        }
        drop(state);
        self.touch();
        Ok(acked)
    }

    async fn checkpoint(&self, who: &NodeIdentity, signed: SignedCheckpoint) -> Result<(), String> {
        self.state().keeping += 1;
        let let_go = self.held.subscribe().wait_for(|held| !held).await.is_ok();
        let mut state = self.state();
        state.keeping -= 1;
        state.checkpoints.push((who.node, signed));
        drop(state);
        tracing::trace!(let_go, "checkpoint");
        self.touch();
        Ok(())
    }

    async fn downlink(&self, _: &NodeIdentity, what: Collection, have: Version) -> Result<Option<Delivery>, String> {
        Ok(self.state().deliveries.get(&(what as u8)).filter(|delivery| delivery.version() > have).cloned())
    }

    fn hints(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }

    fn now(&self) -> Timestamp {
        crate::clock::Clock::System.now()
    }
}
