//! What a connection has head office do while it goes on listening: commits, look-ups, packing. One task each; the
//! session bounds how many there are.

use std::time::{Duration, Instant};

use protocol::collection::{Collection, Version};
use protocol::enroll::SignedCheckpoint;
use protocol::event::FiscalEvent;
use protocol::frame::v1::HelloV1;
use protocol::id::Stream;
use protocol::ledger::Record;
use protocol::session::ack::RangeSet;
use protocol::session::cloud::{Greeting, Parcel};
use protocol::session::{CloseCode, Closed};
use protocol::timestamp::Timestamp;

use super::backend::{Backend, Refused};
use crate::domain::fleet::{Carrier, NodeIdentity, NodeReport};
use crate::telemetry::{self, trace};

/// What a piece of work came to.
#[derive(Debug)]
pub(super) enum Done {
    /// The node may be welcomed.
    Greeted(Result<Greeting, Closed>),
    /// A commit ended.
    Committed { id: u64, outcome: Result<RangeSet, Refused> },
    /// A checkpoint was kept, or the node must go.
    Checkpoint(Result<(), String>),
    /// What there is to send of a collection.
    Downlink { collection: Collection, found: Result<Option<Parcel>, String> },
    /// Nothing to tell.
    Nothing,
}

/// Longest time one piece of work may take. PostgreSQL ends a statement long before; what is left is a database
/// that is gone without a word, for which no node waits for ever.
const PATIENCE: Duration = Duration::from_millis(protocol::limits::COMMIT_PATIENCE_MS);

/// The logs HQ takes. The work log stays in the shop.
pub(super) const STREAMS: [Stream; 2] = [Stream::Fiscal, Stream::Telemetry];

/// What a hello says of its node, for the fleet.
pub(super) fn report(hello: &HelloV1, address: String, connected: bool) -> NodeReport {
    NodeReport {
        agent_version: hello.agent_version.clone(),
        clock: Timestamp(hello.clock_ms),
        boot_nonce: hello.boot_nonce.to_vec(),
        carrier: Carrier::Quic,
        address,
        connected,
    }
}

pub(super) async fn greet<B: Backend>(backend: B, who: NodeIdentity, report: NodeReport, drain: u32) -> Done {
    backend.seen(&who, report).await;
    let mut cursors = Vec::new();
    for stream in STREAMS {
        match backend.cursor(&who, stream).await {
            Ok(cursor) => cursors.push((stream, cursor)),
            Err(error) => {
                tracing::error!(node = %who.node, error, "the cursor cannot be read");
                return Done::Greeted(Err(Closed::new(
                    CloseCode::UNAVAILABLE,
                    "head office cannot read its cursor now",
                )));
            }
        }
    }
    let (hq_time_ms, time_signature) = (backend.now().0, Vec::new());
    Done::Greeted(Ok(Greeting { hq_time_ms, time_signature, drain_per_second: drain, cursors }))
}

/// When the last fiscal record of a batch was written in the shop.
fn newest(stream: Stream, records: &[Record]) -> Option<Timestamp> {
    let record = records.last().filter(|_| stream == Stream::Fiscal)?;
    Some(FiscalEvent::decode(&record.event).ok()??.occurred().recorded_at)
}

pub(super) async fn commit<B: Backend>(
    backend: B,
    who: NodeIdentity,
    id: u64,
    stream: Stream,
    records: Vec<Record>,
) -> Done {
    let count = records.len() as u64;
    // Given up is not undone: the batch comes again, and what was committed after all is known by then.
    let (began, newest) = (Instant::now(), newest(stream, &records));
    let batch = trace::Batch::of(&who, stream, &records);
    let ingest = tokio::time::timeout(PATIENCE, backend.ingest(&who, stream, records));
    let ingest = trace::Batch::around(batch, |done| matches!(done, Ok(Ok(_))), ingest).await;
    let outcome = ingest.unwrap_or_else(|_| Err(Refused::Again("the database did not answer in time".to_owned())));
    metrics::histogram!("tillway_gateway_commit_seconds", "stream" => stream.name()).record(began.elapsed());
    match &outcome {
        Ok(_) => {
            metrics::counter!("tillway_gateway_committed_events_total", "stream" => stream.name()).increment(count);
            if let Some(written) = newest {
                let lag = u64::try_from(backend.now().0.saturating_sub(written.0)).unwrap_or(0);
                metrics::histogram!("tillway_ingest_lag_seconds").record(Duration::from_millis(lag));
            }
            let duration_ms = telemetry::millis(began.elapsed());
            tracing::info!(
                target: "ingest", tenant = %who.tenant, shop = %who.shop, node = %who.node, term = who.term.0,
                stream = stream.name(), events = count, duration_ms, "a batch is committed"
            );
        }
        Err(Refused::Again(error)) => {
            metrics::counter!("tillway_gateway_commit_failures_total", "stream" => stream.name()).increment(1);
            tracing::warn!(node = %who.node, %stream, error, "a batch was not committed; the node sends it again");
        }
        Err(Refused::Never(error)) => {
            metrics::counter!("tillway_gateway_batches_refused_total", "stream" => stream.name()).increment(1);
            tracing::error!(node = %who.node, %stream, error, "a batch cannot be taken");
        }
    }
    Done::Committed { id, outcome }
}

pub(super) async fn keep<B: Backend>(backend: B, who: NodeIdentity, signed: SignedCheckpoint) -> Done {
    let kept = tokio::time::timeout(PATIENCE, backend.checkpoint(&who, signed)).await;
    Done::Checkpoint(kept.unwrap_or_else(|_| {
        tracing::warn!(node = %who.node, "a checkpoint was not recorded in time; the node signs again soon");
        Ok(())
    }))
}

pub(super) async fn alive<B: Backend>(backend: B, who: NodeIdentity, report: NodeReport) -> Done {
    backend.seen(&who, report).await;
    Done::Nothing
}

/// Looks for something newer and packs it off the async threads: a whole catalogue takes a while.
pub(super) async fn look<B: Backend>(backend: B, who: NodeIdentity, collection: Collection, have: Version) -> Done {
    let asked = tokio::time::timeout(PATIENCE, backend.downlink(&who, collection, have)).await;
    let found = match asked.unwrap_or_else(|_| Err("the database did not answer in time".to_owned())) {
        Ok(Some(delivery)) => {
            let packed = tokio::task::spawn_blocking(move || Parcel::pack(&delivery)).await;
            packed
                .map_err(|error| error.to_string())
                .and_then(|parcel| parcel.map(Some).map_err(|error| error.to_string()))
        }
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    Done::Downlink { collection, found }
}
