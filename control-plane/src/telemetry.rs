//! Logs as JSON lines on standard error, and metrics for Prometheus. Installed once per process.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

static METRICS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Bounds of the request histogram, in seconds.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Starts logging. `filter` is like `info,sqlx=warn`; the environment variable `TILLWAY_LOG` wins over it.
pub fn logs(filter: &str) {
    let filter = std::env::var("TILLWAY_LOG").unwrap_or_else(|_| filter.to_owned());
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
}

/// The metrics of this process, recorded from the first call on. None if somebody else records them.
pub fn metrics() -> Option<&'static PrometheusHandle> {
    METRICS
        .get_or_init(|| {
            PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BOUNDS)
                .and_then(PrometheusBuilder::install_recorder)
                .ok()
        })
        .as_ref()
}
