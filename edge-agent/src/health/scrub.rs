//! Reads every record of the logs now and then and remembers what is damaged, so that a bad old segment is known
//! before somebody needs it. Gentle: a segment at a time, on a thread of its own. Mends nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use protocol::id::NodeId;
use protocol::limits;
use protocol::timestamp::Timestamp;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::ledger::{self, Damage, DamageKind};

/// Whose logs are read.
#[derive(Debug)]
pub struct Patient {
    /// The folder of the logs.
    pub logs: PathBuf,
    /// The node they belong to.
    pub node: NodeId,
    /// The time.
    pub clock: Clock,
}

/// What the last reading found. Clones share it.
#[derive(Clone, Debug)]
pub struct Findings(watch::Sender<Found>);

impl Default for Findings {
    fn default() -> Self {
        Self(watch::Sender::new(Found::default()))
    }
}

#[derive(Clone, Debug, Default)]
struct Found {
    damage: Vec<String>,
    checked_at: Option<Timestamp>,
}

impl Findings {
    /// Damage, a sentence each.
    pub fn damage(&self) -> Vec<String> {
        self.0.borrow().damage.clone()
    }

    /// When all records had been read; none before the first reading ended.
    pub fn checked_at(&self) -> Option<Timestamp> {
        self.0.borrow().checked_at
    }

    /// Follows the next readings.
    pub fn follow(&self) -> Following {
        Following(self.0.subscribe())
    }
}

/// Waits for readings.
#[derive(Debug)]
pub struct Following(watch::Receiver<Found>);

impl Following {
    /// Resolves when a reading has ended; never, once nobody reads any more.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Reads all logs now and then once a day, until the node stops.
pub fn start(patient: Patient, stopping: watch::Receiver<bool>) -> Findings {
    let findings = Findings::default();
    let into = findings.clone();
    tokio::spawn(async move {
        let patient = Arc::new(patient);
        let mut stopping = stopping;
        loop {
            let (told, read) = tokio::sync::oneshot::channel();
            let (subject, ending) = (Arc::clone(&patient), stopping.clone());
            // A thread of its own: a reading that takes minutes must not keep the runtime from ending.
            let begun = thread::Builder::new().name("scrub".to_owned()).spawn(move || {
                drop(told.send(look(&subject, &ending)));
            });
            if let Err(error) = begun {
                tracing::warn!(%error, "the logs are not checked: no thread");
            }
            tokio::select! {
                found = read => if let Ok(Some(found)) = found { publish(&into, found) },
                () = crate::stop::asked(&mut stopping) => return,
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(limits::SCRUB_EVERY_MS)) => {}
                () = crate::stop::asked(&mut stopping) => return,
            }
        }
    });
    findings
}

fn publish(into: &Findings, found: Found) {
    let new: Vec<&String> = found.damage.iter().filter(|damage| !into.damage().contains(damage)).collect();
    for damage in new {
        tracing::error!(problems = damage, "a check of all records found damage");
    }
    let count = u32::try_from(found.damage.len()).unwrap_or(u32::MAX);
    metrics::gauge!("tillway_ledger_damaged_places").set(f64::from(count));
    into.0.send_replace(found);
}

fn look(patient: &Patient, stopping: &watch::Receiver<bool>) -> Option<Found> {
    let pause = Duration::from_millis(limits::SCRUB_PAUSE_MS);
    let mut breathe = |_| {
        if !*stopping.borrow() {
            thread::sleep(pause);
        }
    };
    match ledger::verify(&patient.logs, patient.node, &mut breathe) {
        Ok(reports) => {
            let damage = reports.iter().flat_map(|report| &report.damage).map(|found| sentence(&found.damage));
            let damage = damage.take(limits::REMARKS).collect();
            Some(Found { damage, checked_at: Some(patient.clock.now()) })
        }
        Err(error) => {
            tracing::warn!(%error, "the logs could not be checked");
            None
        }
    }
}

/// Names one place of damage: which log, which segment, which records.
pub fn sentence(damage: &Damage) -> String {
    let Damage { stream, term, segment, first, last, .. } = damage;
    let records = if first == last { format!("record {first}") } else { format!("records {first} to {last}") };
    let what = match damage.kind {
        DamageKind::Record => format!("{records} cannot be read"),
        DamageKind::Unreadable => format!("the disk cannot read {records}"),
        DamageKind::Chain => format!("{records} does not follow from the one before: it was changed"),
        DamageKind::Header => "the header is damaged; its records are whole".to_owned(),
        DamageKind::Segment => format!("the file is gone, and {records} with it"),
    };
    format!("segment {segment} of the {stream} log (term {term}): {what}; see `edge-agent journal verify`")
}
