//! What a connection needs of head office, as one seam: the real one over `App`, and one in memory for tests of the
//! uplink that need no database. Translates errors into what the protocol can say; knows no frame.

use std::future::Future;

use protocol::collection::{Collection, Delivery, Version};
use protocol::enroll::SignedCheckpoint;
use protocol::id::Stream;
use protocol::ledger::Record;
use protocol::session::ack::RangeSet;
use protocol::session::{CloseCode, Closed};
use protocol::timestamp::Timestamp;
use tokio::sync::broadcast;

use crate::app::{App, Hint};
use crate::domain::fleet::{AdmitError, CheckpointError, NodeIdentity, NodeReport};
use crate::domain::sales::types::IngestError;
use crate::domain::{fleet, pricing, sales};

/// Why records were not committed.
#[derive(Debug)]
pub(super) enum Refused {
    /// They may be sent again.
    Again(String),
    /// The node does not keep to the protocol.
    Never(String),
}

/// Head office, as a connection sees it.
pub(super) trait Backend: Clone + Send + Sync + 'static {
    /// Who the certificate names, if that node may come in.
    fn admit(&self, certificate: &[u8]) -> impl Future<Output = Result<NodeIdentity, Closed>> + Send;
    /// The node is alive.
    fn seen(&self, who: &NodeIdentity, report: NodeReport) -> impl Future<Output = ()> + Send;
    /// What HQ holds of a stream.
    fn cursor(&self, who: &NodeIdentity, stream: Stream) -> impl Future<Output = Result<RangeSet, String>> + Send;
    /// Commits records; answers with what HQ holds now.
    fn ingest(
        &self,
        who: &NodeIdentity,
        stream: Stream,
        records: Vec<Record>,
    ) -> impl Future<Output = Result<RangeSet, Refused>> + Send;
    /// Keeps a checkpoint. A reason ends the connection.
    fn checkpoint(
        &self,
        who: &NodeIdentity,
        signed: SignedCheckpoint,
    ) -> impl Future<Output = Result<(), String>> + Send;
    /// What the node needs to be up to date.
    fn downlink(
        &self,
        who: &NodeIdentity,
        collection: Collection,
        have: Version,
    ) -> impl Future<Output = Result<Option<Delivery>, String>> + Send;
    /// Collections that have moved.
    fn hints(&self) -> broadcast::Receiver<Hint>;
    /// The time.
    fn now(&self) -> Timestamp;
}

/// The real head office.
#[derive(Clone, Debug)]
pub(super) struct Live {
    app: App,
}

impl Live {
    pub(super) const fn new(app: App) -> Self {
        Self { app }
    }
}

fn refusal(error: &AdmitError) -> Closed {
    let code = match error {
        AdmitError::OldTerm { .. } => CloseCode::OLD_TERM,
        AdmitError::NotANode | AdmitError::Unknown | AdmitError::Revoked | AdmitError::Retired => CloseCode::REFUSED,
        AdmitError::Db(_) => CloseCode::UNAVAILABLE,
    };
    // What the database said is for the log, not for the wire.
    let reason =
        if error.is_transient() { "head office cannot look this node up now".to_owned() } else { error.to_string() };
    Closed::new(code, reason)
}

impl Backend for Live {
    async fn admit(&self, certificate: &[u8]) -> Result<NodeIdentity, Closed> {
        fleet::service::admit(&self.app, certificate).await.map_err(|error| {
            if error.is_transient() {
                tracing::error!(%error, "a node could not be looked up");
            }
            refusal(&error)
        })
    }

    async fn seen(&self, who: &NodeIdentity, report: NodeReport) {
        if let Err(error) = fleet::service::seen(&self.app, who, report).await {
            tracing::warn!(node = %who.node, %error, "the sign of life was not recorded");
        }
    }

    async fn cursor(&self, who: &NodeIdentity, stream: Stream) -> Result<RangeSet, String> {
        sales::service::cursor(&self.app, who, stream).await.map_err(|error| error.to_string())
    }

    async fn ingest(&self, who: &NodeIdentity, stream: Stream, records: Vec<Record>) -> Result<RangeSet, Refused> {
        match sales::service::ingest(&self.app, who, stream, records).await {
            Ok(report) => Ok(report.acked),
            Err(error @ (IngestError::Db(_) | IngestError::CursorRepaired)) => Err(Refused::Again(error.to_string())),
            Err(error) => Err(Refused::Never(error.to_string())),
        }
    }

    async fn checkpoint(&self, who: &NodeIdentity, signed: SignedCheckpoint) -> Result<(), String> {
        match fleet::service::record_checkpoint(&self.app, who, signed).await {
            Ok(recorded) => {
                tracing::debug!(node = %who.node, seq = %signed.checkpoint.seq, ?recorded, "checkpoint");
                Ok(())
            }
            // The node signs again soon: a database that is away costs no connection.
            Err(CheckpointError::Db(error)) => {
                tracing::warn!(node = %who.node, %error, "a checkpoint was not recorded");
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    async fn downlink(&self, who: &NodeIdentity, what: Collection, have: Version) -> Result<Option<Delivery>, String> {
        pricing::service::downlink(&self.app, who, what, have).await.map_err(|error| error.to_string())
    }

    fn hints(&self) -> broadcast::Receiver<Hint> {
        self.app.hints.subscribe()
    }

    fn now(&self) -> Timestamp {
        self.app.clock.now()
    }
}
