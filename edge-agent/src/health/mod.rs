//! How the node does: gathers what `core::health` judges and publishes the report, shows it on a page, proves to the
//! service manager that lanes can sell, and reads the logs for damage now and then. Stops nothing by itself.

mod gate;
pub mod mark;
pub mod notify;
pub mod page;
mod qr;
pub mod recent;
pub mod scrub;
pub mod sources;
mod view;
pub mod watchdog;

use std::sync::Arc;
use std::time::Duration;

use firmware_config::layout::Layout;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::core::health::{Facts, Mqtt, Report, judge};
use crate::snapshot::Snapshots;
use crate::store::index::Index;
use scrub::Findings;

/// How often the node looks at itself.
const EVERY: Duration = Duration::from_secs(5);
/// How often the dates of its certificates are read anew: one look in so many.
const CERTIFICATES_EACH: u32 = 720;

/// What is looked at.
pub struct Subject {
    /// Where the ledger and the certificates stand.
    pub layout: Layout,
    /// Whether there are settings.
    pub snapshots: Snapshots,
    /// Whether the index takes writes.
    pub index: Arc<Index>,
    /// What the check of all records found.
    pub findings: Findings,
    /// How the shop's MQTT stands.
    pub mqtt: watch::Receiver<Option<Mqtt>>,
    /// The time.
    pub clock: Clock,
}

/// Looks once now and then every few seconds, until the node stops.
pub fn start(subject: Subject, mut stopping: watch::Receiver<bool>) -> (watch::Receiver<Report>, JoinHandle<()>) {
    let mut certificates = sources::certificates(&subject.layout);
    let (publish, reports) = watch::channel(judge(look(&subject, &certificates)));
    let mut readings = subject.findings.follow();
    let mut mqtt = subject.mqtt.clone();
    let task = tokio::spawn(async move {
        let (mut tick, mut looks) = (tokio::time::interval(EVERY), 0_u32);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = readings.changed() => {}
                Ok(()) = mqtt.changed() => {}
                () = crate::stop::asked(&mut stopping) => return,
            }
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(CERTIFICATES_EACH) {
                certificates = sources::certificates(&subject.layout);
            }
            tell(&publish, judge(look(&subject, &certificates)));
        }
    });
    (reports, task)
}

fn tell(publish: &watch::Sender<Report>, report: Report) {
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

fn look(subject: &Subject, certificates: &[crate::core::status::Certificate]) -> Facts {
    let (now, free_bytes) = (subject.clock.now(), sources::free_bytes(subject.layout.data()));
    if let Some(free) = free_bytes {
        metrics::gauge!("tillway_data_free_bytes").set(crate::telemetry::wide(free));
    }
    for certificate in certificates {
        let (what, days) = (certificate.what.clone(), certificate.days_left(now));
        let due = certificate.warning(now).is_some();
        metrics::gauge!("tillway_certificate_days_left", "certificate" => what.clone()).set(days);
        metrics::gauge!("tillway_certificate_renewal_due", "certificate" => what).set(u32::from(due));
    }
    let facts = Facts {
        free_bytes,
        has_shop: subject.snapshots.shop().is_some(),
        index_writes: !subject.index.is_stale(),
        damage: subject.findings.damage(),
        certificates: certificates.iter().filter_map(|certificate| certificate.warning(now)).collect(),
        mqtt: subject.mqtt.borrow().clone(),
    };
    metrics::gauge!("tillway_ready").set(u32::from(judge(facts.clone()).ready()));
    facts
}
