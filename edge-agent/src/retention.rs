//! How long history stays on the node: fiscal records until HQ has them and their time has passed, telemetry
//! within its byte budget. Deletes whole segments only, through the ledger; never what HQ has not acknowledged.

use std::time::Duration;

use protocol::event::FiscalEvent;
use protocol::id::{Seq, Stream};
use protocol::limits;
use protocol::timestamp::Timestamp;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::ledger::{LedgerError, Logs};
use crate::stop;
use crate::telemetry::TelemetryDroppedV1;
use crate::uplink::Settled;

/// How often it is looked after.
const EVERY: Duration = Duration::from_secs(3_600);

/// Looks after the logs until the node stops. `settled` says what HQ has.
pub async fn run(logs: Logs, clock: Clock, settled: watch::Receiver<Settled>, mut stopping: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop::asked(&mut stopping) => return,
        }
        let (logs, now, settled) = (logs.clone(), clock.now(), settled.borrow().clone());
        let swept = tokio::task::spawn_blocking(move || sweep(&logs, now, &settled)).await;
        match swept {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "old records could not be removed"),
            Err(error) => tracing::error!(%error, "looking after the logs died"),
        }
    }
}

fn sweep(logs: &Logs, now: Timestamp, settled: &Settled) -> Result<(), LedgerError> {
    let acknowledged = settled.upto(Stream::Fiscal).max(logs.acknowledged(Stream::Fiscal));
    let upto = past_retention(logs, now.plus_millis(-limits::FISCAL_RETENTION_MILLIS), acknowledged)?;
    if upto > logs.acknowledged(Stream::Fiscal) {
        let retired = logs.retire(Stream::Fiscal, upto)?;
        tracing::info!(
            segments = retired.segments,
            records = retired.records,
            first_kept = retired.first_kept.0,
            upto = upto.0,
            "fiscal records that head office has, past their time, left the node"
        );
    }
    let seen = settled.upto(Stream::Telemetry);
    if seen > logs.acknowledged(Stream::Telemetry) {
        logs.retire(Stream::Telemetry, seen)?;
    }
    let dropped = logs.drop_oldest(Stream::Telemetry, limits::TELEMETRY_LOG_BYTES)?;
    if dropped.records > 0 {
        tracing::warn!(records = dropped.records, "telemetry was dropped unseen: its log is full");
        metrics::counter!("tillway_telemetry_dropped_total").increment(dropped.records);
        if let Ok(event) = (TelemetryDroppedV1 { records: dropped.records, at: now }).encode() {
            logs.append_unsynced(Stream::Telemetry, event)?;
        }
    }
    Ok(())
}

/// The last record up to `most` that was written before `before`. Records are written in the order of time, so
/// that a handful of reads finds it.
fn past_retention(logs: &Logs, before: Timestamp, most: Seq) -> Result<Seq, LedgerError> {
    let (mut old, mut new) = (logs.head(Stream::Fiscal).first_kept.0.saturating_sub(1), most.0.saturating_add(1));
    while new.saturating_sub(old) > 1 {
        let middle = old + (new - old) / 2;
        let record = logs.read_one(Stream::Fiscal, Seq(middle))?;
        let written = record
            .and_then(|record| FiscalEvent::decode(&record.event).ok().flatten())
            .map(|event| event.occurred().recorded_at);
        // What cannot be read has no age; it stays until what follows it is old.
        if written.is_some_and(|at| at < before) { old = middle } else { new = middle }
    }
    Ok(Seq(old))
}
