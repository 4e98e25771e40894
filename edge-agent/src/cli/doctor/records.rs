//! The records of the shop: whether each of them is whole, and whether the index that only speeds things up is there.

use super::finding::Finding;
use super::{Patient, Progress};
use crate::core::status::bytes;
use crate::health::scrub::sentence;
use crate::ledger;

/// The logs: the newest file of each, or all of them.
pub(super) fn logs(patient: &Patient, progress: &Progress) -> Vec<Finding> {
    let (logs, node) = (patient.layout.logs(), patient.config.node.node_id);
    if !logs.is_dir() {
        return vec![Finding::skip("logs", "there are none yet: this node has never run")];
    }
    let mut show = |at: ledger::Progress| {
        progress.show(&format!("logs: {} file {} of {}", at.stream, at.done, at.of));
    };
    let read =
        if patient.full { ledger::verify(&logs, node, &mut show) } else { ledger::verify_ends(&logs, node, &mut show) };
    let reports = match read {
        Ok(reports) => reports,
        Err(error) => {
            return vec![Finding::fail("logs", error.to_string(), "run doctor as the user that runs the node")];
        }
    };
    let cure = "the node sells on. Is head office complete (GET /v1/shops/{id}/completeness)? Then nothing is lost. \
                Replace the disk soon; see docs/operations.md";
    let mut damage: Vec<String> =
        reports.iter().flat_map(|report| &report.damage).map(|found| sentence(&found.damage)).collect();
    let known = patient.status.iter().flat_map(|status| &status.ledger.damage);
    let known: Vec<String> = known.filter(|known| !damage.contains(known)).cloned().collect();
    damage.extend(known);
    if !damage.is_empty() {
        return damage.into_iter().map(|place| Finding::fail("logs", place, cure)).collect();
    }
    let records: u64 = reports.iter().map(|report| report.records).sum();
    let last = reports.iter().filter(|report| report.stream == protocol::id::Stream::Fiscal).map(|report| report.last);
    let position = last.max().unwrap_or_default();
    let torn: u64 = reports.iter().map(|report| report.torn_bytes).sum();
    let torn = if torn > 0 && patient.status.is_none() {
        "; a torn write at the end, which nobody was told of, goes at the next start"
    } else {
        ""
    };
    let says = if patient.full {
        format!("all {records} records are whole; fiscal position {position}{torn}")
    } else {
        format!("the newest files are whole; fiscal position {position}{torn} (--full reads everything)")
    };
    vec![Finding::ok("logs", says)]
}

/// The index.
pub(super) fn index(patient: &Patient) -> Vec<Finding> {
    let stale = patient.status.iter().flat_map(|status| &status.warnings).find(|warning| warning.contains("the index"));
    if let Some(stale) = stale {
        return vec![Finding::warn(
            "index",
            stale.clone(),
            "restart the node at a quiet moment: sudo systemctl restart tillway-node",
        )];
    }
    let folder = patient.layout.index();
    if !folder.is_dir() {
        return vec![Finding::ok("index", "there is none: the next start makes it from the logs, in seconds")];
    }
    let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let size = files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
    let says = match patient.status {
        Some(_) => format!("takes writes, {}", bytes(size)),
        None => format!("{}; the start checks it and makes it anew if need be", bytes(size)),
    };
    vec![Finding::ok("index", says)]
}
