//! What a connection needs of head office, as one seam: the real one over `App`, and one in memory for tests of the
//! uplink that need no database. Translates errors into what the protocol can say; knows no frame.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::collection::{Collection, Delivery, Version};
use protocol::enroll::SignedCheckpoint;
use protocol::id::{NodeId, Stream, TenantId};
use protocol::ledger::Record;
use protocol::session::ack::RangeSet;
use protocol::session::{CloseCode, Closed};
use protocol::timestamp::Timestamp;
use tokio::sync::{Semaphore, broadcast};

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
    /// Which of these certificates of a tenant's nodes are in force no longer.
    fn fallen(
        &self,
        tenant: TenantId,
        certificates: Vec<Arc<[u8]>>,
    ) -> impl Future<Output = Result<Vec<Arc<[u8]>>, String>> + Send;
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
    /// Logs of which the database refused a batch for its figures: the next one is taken event by event.
    doubted: Arc<Mutex<HashSet<(NodeId, Stream)>>>,
    /// Commits at once: three fifths of the connections to the database. However many nodes drain, people still get
    /// one, and a node waits here, where its own flow control holds it back, not in a queue that gives up.
    turns: Arc<Semaphore>,
}

impl Live {
    pub(super) fn new(app: App) -> Self {
        let (_, _, connections) = app.db.gauges();
        let turns = usize::try_from(connections.saturating_mul(3) / 5).unwrap_or(1).max(1);
        Self { app, doubted: Arc::default(), turns: Arc::new(Semaphore::new(turns)) }
    }

    fn doubted(&self) -> MutexGuard<'_, HashSet<(NodeId, Stream)>> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(error: &AdmitError) -> Closed {
    let code = match error {
        AdmitError::OldTerm { .. } => CloseCode::OLD_TERM,
        AdmitError::NotANode | AdmitError::Unknown | AdmitError::Revoked | AdmitError::Retired | AdmitError::Closed => {
            CloseCode::REFUSED
        }
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

    async fn fallen(&self, tenant: TenantId, certificates: Vec<Arc<[u8]>>) -> Result<Vec<Arc<[u8]>>, String> {
        let fallen = fleet::service::fallen(&self.app, tenant, &certificates).await;
        let fallen = fallen.map_err(|error| error.to_string())?;
        Ok(certificates
            .into_iter()
            .zip(fallen)
            .filter_map(|(certificate, fallen)| fallen.then_some(certificate))
            .collect())
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
        // The semaphore is never closed: an error cannot happen, and would cost nothing but the bound.
        let _turn = self.turns.acquire().await.ok();
        let doubted = self.doubted().contains(&(who.node, stream));
        let outcome = if doubted {
            sales::service::ingest_one_by_one(&self.app, who, stream, records).await
        } else {
            sales::service::ingest(&self.app, who, stream, records).await
        };
        match outcome {
            Ok(report) => {
                if doubted {
                    self.doubted().remove(&(who.node, stream));
                }
                Ok(report.acked)
            }
            Err(IngestError::Db(error)) if error.is_about_data() => {
                tracing::error!(node = %who.node, %stream, source = ?error, "the database refuses a batch; next, event by event");
                self.doubted().insert((who.node, stream));
                Err(Refused::Again(error.to_string()))
            }
            Err(error @ (IngestError::Db(_) | IngestError::CursorRepaired)) => Err(Refused::Again(error.to_string())),
            Err(error) => Err(Refused::Never(error.to_string())),
        }
    }

    async fn checkpoint(&self, who: &NodeIdentity, signed: SignedCheckpoint) -> Result<(), String> {
        match fleet::service::record_checkpoint(&self.app, who, signed).await {
            Ok(recorded) => {
                tracing::debug!(node = %who.node, seq = signed.checkpoint.seq.0, ?recorded, "checkpoint");
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

#[cfg(test)]
mod tests {
    use protocol::id::Seq;

    use super::*;
    use crate::db::TenantTx;
    use crate::domain::sales::testing::{Made, Rig};

    #[tokio::test]
    async fn nodes_that_drain_leave_people_a_connection() {
        let mut rig = Rig::new().await;
        let live = Live::new(rig.app.clone());
        let (_, _, connections) = rig.app.db.gauges();
        let first = rig.seat().await;
        let token = rig.sign_in(&first).await;
        // Every commit hangs on the cursors.
        let mut slow = rig.test.superuser().await;
        sqlx::raw_sql("BEGIN; LOCK TABLE app.event_cursors IN ACCESS EXCLUSIVE MODE").execute(&mut slow).await.unwrap();
        let mut commits = tokio::task::JoinSet::new();
        for number in 0..2 * u64::from(connections) {
            let (live, record) = (live.clone(), Made::sale(u128::from(number), &[("A", 1_000, 10_000)]).record(1));
            let node = NodeId::from_uuid(uuid::Uuid::from_u128(0xC0_0000 + u128::from(number)));
            let who = NodeIdentity { node, ..first.who };
            commits.spawn(async move { live.ingest(&who, Stream::Fiscal, vec![record]).await });
        }
        while live.turns.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let (status, reply) = rig.get("/v1/shops", &token).await;
        assert_eq!(status, 200, "{reply}");
        sqlx::raw_sql("ROLLBACK").execute(&mut slow).await.unwrap();
        while let Some(commit) = commits.join_next().await {
            assert!(commit.unwrap().is_ok(), "those that waited are taken");
        }
    }

    #[tokio::test]
    async fn an_event_the_database_refuses_blocks_nothing_behind_it() {
        let mut rig = Rig::new().await;
        let seat = rig.seat().await;
        let sale = |number: u64| Made::sale(u128::from(number), &[("A", 1_000, 10_000)]);
        let live = Live::new(rig.app.clone());
        let first = live.ingest(&seat.who, Stream::Fiscal, vec![sale(1).record(1)]).await;
        assert_eq!(first.unwrap().contiguous(), Seq(1));
        // The day's sum is full: whatever is added to it overflows.
        sqlx::query("UPDATE app.sales_days SET gross_sales_minor = 9223372036854775807")
            .execute(&mut rig.test.superuser().await)
            .await
            .unwrap();
        let batch = || vec![sale(2).days(-1).record(2), sale(3).record(3), sale(4).days(-1).record(4)];
        let refused = live.ingest(&seat.who, Stream::Fiscal, batch()).await;
        assert!(matches!(refused, Err(Refused::Again(_))), "{refused:?}");
        let taken = live.ingest(&seat.who, Stream::Fiscal, batch()).await.unwrap();
        assert_eq!(taken.ranges(), [(2, 4)], "the node is rid of all of them");
        assert!(live.doubted().is_empty(), "batches again from here");
        let after = live.ingest(&seat.who, Stream::Fiscal, vec![sale(5).days(-1).record(5)]).await;
        assert_eq!(after.unwrap().ranges(), [(5, 5)]);
        let mut tx = TenantTx::begin(&rig.app.db, seat.tenant).await.unwrap();
        let logs = sales::service::completeness(&mut tx, seat.shop).await.unwrap();
        assert_eq!((logs[0].received, logs[0].gaps, logs[0].flawed, logs[0].head_seq), (5, 0, 1, Seq(5)));
        let days: Vec<(i64, i64)> =
            sqlx::query_as("SELECT sales, gross_sales_minor FROM app.sales_days ORDER BY business_date LIMIT 1")
                .fetch_all(&mut rig.test.superuser().await)
                .await
                .unwrap();
        assert_eq!(days, [(3, 300)], "the others count");
    }
}
