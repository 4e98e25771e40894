//! What head office says of itself: log lines on standard error, metrics for Prometheus, traces. Installed once per
//! process. Customer data never goes above `debug`.

pub mod access;
mod json;
mod process;
pub mod spans;
pub mod stderr;
pub mod trace;

use std::fmt;
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use firmware_config::LogFormat;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;

pub use process::{observe, wide};

static METRICS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Bounds of the histograms of times, in seconds.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Bounds of what may be as old as a shop was offline, in seconds: from a live sale to a week.
const AGES: [f64; 10] = [0.1, 0.5, 1.0, 2.0, 5.0, 30.0, 300.0, 3_600.0, 86_400.0, 604_800.0];
/// How often histograms are folded, so that their samples do not pile up unread.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts logging. `filter` is like `info,sqlx=warn`; the environment variable `TILLWAY_LOG` wins over it. Without a
/// format lines are JSON, unless a person watches.
pub fn logs(filter: &str, format: Option<LogFormat>) {
    let filter = std::env::var("TILLWAY_LOG").unwrap_or_else(|_| filter.to_owned());
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let by_default = if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json };
    // Without a thread for it there will be none for anything else: the start says so itself.
    let Ok(out) = stderr::Stderr::of_process() else { return };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(out);
    let started = match format.unwrap_or(by_default) {
        LogFormat::Json => lines.fmt_fields(JsonFields::new()).event_format(json::Lines).try_init(),
        LogFormat::Text => lines.try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
}

/// The metrics of this process, recorded from the first call on. None if somebody else records them.
pub fn metrics() -> Option<&'static PrometheusHandle> {
    METRICS
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BOUNDS)
                .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_lag_seconds".to_owned()), &AGES));
            let handle = builder.and_then(PrometheusBuilder::install_recorder).ok()?;
            metrics::gauge!("tillway_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
            Some(handle)
        })
        .as_ref()
}

/// Folds histograms until `ending` turns true. Prometheus does it too, where there is one.
pub async fn upkeep(mut ending: watch::Receiver<bool>) {
    while tokio::time::timeout(UPKEEP, ending.wait_for(|ending| *ending)).await.is_err() {
        if let Some(handle) = METRICS.get().and_then(Option::as_ref) {
            handle.run_upkeep();
        }
    }
}

/// A time in milliseconds, for the log.
#[allow(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a time, not money, and far below 2^53")]
pub fn millis(took: Duration) -> f64 {
    took.as_micros() as f64 / 1_000.0
}

/// Runs one round of a job, and says in the log, the metrics and the traces how it went.
///
/// # Errors
/// Those of the work.
pub async fn job<T, E: fmt::Display>(name: &'static str, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let (began, from) = (Instant::now(), spans::now());
    metrics::gauge!("tillway_jobs_active", "job" => name).increment(1.0);
    let done = work.await;
    metrics::gauge!("tillway_jobs_active", "job" => name).decrement(1.0);
    let (took, outcome) = (began.elapsed(), if done.is_ok() { "done" } else { "failed" });
    metrics::counter!("tillway_jobs_total", "job" => name, "outcome" => outcome).increment(1);
    metrics::histogram!("tillway_job_seconds", "job" => name).record(took);
    trace::job(name, from, done.is_err());
    let duration_ms = millis(took);
    match &done {
        Ok(_) => tracing::info!(target: "job", job = name, outcome, duration_ms, "a job is done"),
        Err(error) => tracing::warn!(target: "job", job = name, outcome, duration_ms, %error, "a job failed"),
    }
    done
}
