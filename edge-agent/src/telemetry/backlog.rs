//! How old the oldest sale is that head office has not acknowledged: the figure that tells a shop which is quiet from
//! one that is cut off. Reads one record now and then; decides nothing.

use std::time::Duration;

use protocol::event::FiscalEvent;
use protocol::id::{Seq, Stream};
use protocol::timestamp::Timestamp;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::ledger::Logs;
use crate::stop;
use crate::telemetry::wide;
use crate::uplink::Settled;

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(5);

/// Looks until the node stops. `settled` says what HQ has; until it has spoken, what the ledger remembers of it.
pub async fn run(logs: Logs, clock: Clock, settled: watch::Receiver<Settled>, mut stopping: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop::asked(&mut stopping) => return,
        }
        let upto = settled.borrow().upto(Stream::Fiscal);
        let (logs, now) = (logs.clone(), clock.now());
        if let Ok(Some(age)) = tokio::task::spawn_blocking(move || oldest(&logs, now, upto)).await {
            metrics::gauge!("tillway_uplink_oldest_unsent_seconds").set(wide(age.unsigned_abs() / 1_000));
        }
    }
}

/// Milliseconds since the oldest record was written that HQ does not have; 0 when it has all of them, `None` when that
/// record cannot be read.
fn oldest(logs: &Logs, now: Timestamp, upto: Seq) -> Option<i64> {
    let upto = upto.max(logs.acknowledged(Stream::Fiscal));
    if logs.head(Stream::Fiscal).durable <= upto {
        return Some(0);
    }
    let record = logs.read_one(Stream::Fiscal, upto.next()).ok()??;
    let written = FiscalEvent::decode(&record.event).ok()??.occurred().recorded_at;
    Some(now.0.saturating_sub(written.0).max(0))
}
