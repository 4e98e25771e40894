//! Gathers what `core::health` judges, every few seconds, and publishes the report. Stops nothing by itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::core::health::{Facts, Report, judge};
use crate::snapshot::Snapshots;
use crate::store::index::Index;

/// How often the node looks at itself.
const EVERY: Duration = Duration::from_secs(5);

/// What is looked at.
pub struct Subject {
    /// Where the ledger stands.
    pub data: PathBuf,
    /// Whether there are settings.
    pub snapshots: Snapshots,
    /// Whether the index takes writes.
    pub index: Arc<Index>,
}

/// Looks once now and then every few seconds, until the node stops.
pub fn start(subject: Subject, mut stopping: watch::Receiver<bool>) -> (watch::Receiver<Report>, JoinHandle<()>) {
    let (publish, reports) = watch::channel(judge(look(&subject)));
    let task = tokio::spawn(async move {
        let mut tick = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = crate::stop::asked(&mut stopping) => return,
            }
            let report = judge(look(&subject));
            publish.send_if_modified(|last| {
                let changed = *last != report;
                if changed {
                    let (problems, warnings) = (report.problems.join("; "), report.warnings.join("; "));
                    if report == Report::default() {
                        tracing::info!("the node is well again");
                    } else if report.ready() {
                        tracing::warn!(warnings, "the node sells, but something needs attention");
                    } else {
                        tracing::error!(problems, warnings, "the node cannot sell");
                    }
                    *last = report;
                }
                changed
            });
        }
    });
    (reports, task)
}

fn look(subject: &Subject) -> Facts {
    let free_bytes = rustix::fs::statvfs(&subject.data).ok().map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize));
    if let Some(free) = free_bytes {
        metrics::gauge!("tillway_data_free_mib").set(u32::try_from(free >> 20).unwrap_or(u32::MAX));
    }
    Facts { free_bytes, has_shop: subject.snapshots.shop().is_some(), index_writes: !subject.index.is_stale() }
}
