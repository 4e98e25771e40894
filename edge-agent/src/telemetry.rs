//! What the agent says of itself: log lines, metrics, traces. Customer data never goes above `debug`. Set up once per
//! process; further agents in one process share it.

pub mod backlog;
mod json;
mod process;
pub mod sale;
pub mod spans;
pub mod stderr;

use std::io::IsTerminal;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use firmware_config::layout::Layout;
use firmware_config::{Log, LogFormat, Node, Trace};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::KeyValue;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::health::recent::Recent;

pub use process::wide;

/// Upper bounds of the latency buckets in seconds: from a memory lookup to a disk that struggles.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// How often histograms are folded, so that their samples do not pile up unread.
const UPKEEP: Duration = Duration::from_secs(5);

/// Libraries that tell every connection at info; the guard and the metrics do that. A filter that names them wins.
const QUIET: &str = "rumqttd=warn,rumqttc=warn";

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Sends log lines to standard error: as JSON, unless a person watches or the configuration says otherwise. A second
/// call changes nothing.
///
/// # Errors
/// A filter that cannot be read; a system that gives no thread.
pub fn log_to_stderr(log: &Log) -> anyhow::Result<()> {
    let filter = &log.filter;
    let filter = EnvFilter::try_new(format!("{QUIET},{filter}")).map_err(|error| {
        anyhow::anyhow!("log.filter {filter:?} cannot be read: {error}; write for example \"info\"")
    })?;
    let by_default = if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr::Stderr::of_process()?);
    let recent = Recent::of_process().layer();
    let set = match log.format.unwrap_or(by_default) {
        LogFormat::Json => tracing::subscriber::set_global_default(
            lines.fmt_fields(JsonFields::new()).event_format(json::Lines).finish().with(recent),
        ),
        LogFormat::Text => tracing::subscriber::set_global_default(lines.finish().with(recent)),
    };
    if set.is_err() {
        tracing::debug!("logging was set up before");
    }
    Ok(())
}

/// Sends traces where the configuration says; nowhere without it. A collector that cannot be used stops no sale.
pub fn trace(trace: Option<&Trace>, node: &Node) {
    let Some(Trace { otlp, share }) = trace else { return };
    sale::here(node.tenant_id, node.node_id);
    let about = [("tillway.tenant", node.tenant_id.to_string()), ("tillway.shop", node.shop_id.to_string())];
    let about = about.into_iter().chain([("service.instance.id", node.node_id.to_string())]);
    let options = spans::Options {
        otlp: otlp.clone(),
        share: *share,
        service: "edge-agent",
        about: about.map(|(key, value)| KeyValue::new(key, value)).collect(),
    };
    if let Err(error) = spans::start(options) {
        tracing::error!(%error, "no traces");
    }
}

/// The recorder of this process, set up at the first call.
///
/// # Errors
/// Another recorder was installed by someone else.
pub fn recorder() -> anyhow::Result<PrometheusHandle> {
    if let Some(handle) = METRICS.get() {
        return Ok(handle.clone());
    }
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?;
    let recorder = builder.build_recorder();
    let handle = METRICS.get_or_init(|| recorder.handle()).clone();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::debug!("another recorder stands already; these metrics stay empty");
    }
    metrics::gauge!("tillway_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// The route that Prometheus reads.
pub fn router(handle: PrometheusHandle) -> Router {
    let read = async move || {
        process::observe();
        handle.render()
    };
    Router::new().route("/metrics", get(read))
}

/// Folds histograms, and sees how large the logs and the index are on the disk, until the task is dropped.
pub async fn upkeep(handle: PrometheusHandle, layout: Layout) {
    let mut tick = tokio::time::interval(UPKEEP);
    loop {
        tick.tick().await;
        handle.run_upkeep();
        let (logs, index) = (layout.logs(), layout.index());
        if let Ok((logs, index)) = tokio::task::spawn_blocking(move || (size(&logs), size(&index))).await {
            metrics::gauge!("tillway_ledger_bytes").set(wide(logs));
            metrics::gauge!("tillway_index_bytes").set(wide(index));
        }
    }
}

/// The bytes of all files of a folder and of the folders in it, two deep: what the node makes is not deeper.
fn size(folder: &Path) -> u64 {
    let mut folders = vec![(folder.to_owned(), 0)];
    let mut bytes = 0_u64;
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_file() => bytes = bytes.saturating_add(meta.len()),
                Ok(meta) if meta.is_dir() && depth < 2 => folders.push((entry.path(), depth + 1)),
                // A link, or a file that went while we looked.
                Ok(_) | Err(_) => {}
            }
        }
    }
    bytes
}

/// Kind of [`IndexRebuiltV1`] (telemetry kinds are 200-299). Disk and wire format.
pub const INDEX_REBUILT: u16 = 200;

/// The index was lost and made anew from the logs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IndexRebuiltV1 {
    /// Why.
    pub reason: String,
    /// How many fiscal records were read for it.
    pub records: u64,
}

/// Kind of [`PinsStoppedV1`]. Disk and wire format.
pub const PINS_STOPPED: u16 = 202;

/// Too many wrong PINs: no more are tried for somebody, or at a lane, for a while.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PinsStoppedV1 {
    /// Where the last one was typed.
    pub lane: protocol::id::LaneId,
    /// Whose it should have been.
    pub staff: protocol::id::StaffId,
    /// When.
    pub at: protocol::timestamp::Timestamp,
}

impl PinsStoppedV1 {
    /// Encodes for the log.
    ///
    /// # Errors
    /// Never; the shape is that of every event.
    pub fn encode(&self) -> Result<protocol::event::RawEvent, protocol::event::EventError> {
        protocol::event::RawEvent::encode(PINS_STOPPED, 1, self)
    }
}

/// Kind of [`TelemetryDroppedV1`]. Disk and wire format.
pub const TELEMETRY_DROPPED: u16 = 201;

/// The oldest telemetry was dropped before HQ had it, because its log was full.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TelemetryDroppedV1 {
    /// How many records.
    pub records: u64,
    /// When.
    pub at: protocol::timestamp::Timestamp,
}

impl TelemetryDroppedV1 {
    /// Encodes for the log.
    ///
    /// # Errors
    /// Never; the shape is that of every event.
    pub fn encode(&self) -> Result<protocol::event::RawEvent, protocol::event::EventError> {
        protocol::event::RawEvent::encode(TELEMETRY_DROPPED, 1, self)
    }
}

impl IndexRebuiltV1 {
    /// Encodes for the log.
    ///
    /// # Errors
    /// A reason beyond the size of an event.
    pub fn encode(&self) -> Result<protocol::event::RawEvent, protocol::event::EventError> {
        protocol::event::RawEvent::encode(INDEX_REBUILT, 1, self)
    }
}
