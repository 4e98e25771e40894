//! Proves again and again that lanes could sell: the lane actor answers a question and the ledger's writer takes its
//! turn. Only then the service manager is told that the node lives. A timer that runs proves nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::notify::Notifier;
use super::sources::Sources;
use crate::desk::Desk;
use crate::ledger::Logs;

/// How often without a watchdog: only the sentence is kept fresh then.
const EVERY: Duration = Duration::from_secs(10);

/// Looks until the node stops. `READY=1` goes out once, with the first proof at which the node can sell.
pub async fn run(sources: Arc<Sources>, notifier: Notifier, mut stopping: watch::Receiver<bool>) {
    if !notifier.is_heard() {
        return;
    }
    let every = notifier.watchdog.map_or(EVERY, |watchdog| watchdog / 4);
    let mut tick = tokio::time::interval(every.max(Duration::from_millis(10)));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut reports, mut ready) = (sources.health.clone(), false);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            Ok(()) = reports.changed() => {}
            () = crate::stop::asked(&mut stopping) => break,
        }
        // Half of what is granted: a proof that comes later would come too late.
        if let Err(silent) = prove(&sources.desk, &sources.logs, every * 2).await {
            metrics::counter!("tillway_watchdog_silent_total", "what" => silent).increment(1);
            tracing::error!(reason = silent, "no sign of life: the service manager will start the node again");
            notifier.status(&format!("Not selling: {silent} does not answer."));
            continue;
        }
        notifier.alive();
        if !ready && sources.health.borrow().ready() {
            ready = true;
            notifier.ready();
        }
        notifier.status(&sources.status().await.headline);
    }
    notifier.stopping();
}

/// Asks the lanes and the ledger, each within some time.
///
/// # Errors
/// Who does not answer.
pub async fn prove(desk: &Desk, logs: &Logs, within: Duration) -> Result<(), &'static str> {
    match tokio::time::timeout(within, desk.lanes()).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) | Err(_) => return Err("the lane desk"),
    }
    match tokio::time::timeout(within, logs.answers()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err("the ledger"),
    }
}

#[cfg(test)]
mod tests {
    use protocol::id::{NodeId, Term};
    use rustix::io::Errno;

    use super::*;
    use crate::desk::Ask;
    use crate::ledger::{Disk, Operation, Options};

    #[tokio::test]
    async fn a_proof_needs_the_lanes_and_the_ledger() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        let options = Options { disk: disk.clone(), ..Options::default() };
        let (logs, _) = Logs::open(dir.path(), NodeId::from_uuid(uuid::Uuid::from_u128(3)), Term(1), options).unwrap();
        let (desk, mut asks) = Desk::new(1);
        let soon = Duration::from_millis(50);
        assert_eq!(prove(&desk, &logs, soon).await, Err("the lane desk"), "nobody sits at it");
        drop(asks.recv().await);

        let answering = tokio::spawn(async move {
            while let Some(ask) = asks.recv().await {
                if let Ask::Lanes(reply) = ask {
                    drop(reply.send(Ok(Vec::new())));
                }
            }
        });
        let long = Duration::from_secs(30);
        assert_eq!(prove(&desk, &logs, long).await, Ok(()));
        // A failing disk is told to whoever sells; the writer still answers, and a restart would help nobody.
        disk.fail(Operation::Sync, Errno::NOSPC, 2);
        assert_eq!(prove(&desk, &logs, long).await, Ok(()));
        disk.heal();
        // A writer that hangs answers nobody.
        disk.hold(Operation::Sync);
        let event = protocol::event::RawEvent { kind: 900, version: 1, body: vec![1] };
        let stuck = tokio::spawn({
            let logs = logs.clone();
            async move { logs.append(protocol::id::Stream::Work, event).await }
        });
        let held = disk.clone();
        tokio::task::spawn_blocking(move || held.wait_for_held()).await.unwrap();
        assert_eq!(prove(&desk, &logs, soon).await, Err("the ledger"));
        disk.heal();
        stuck.await.unwrap().unwrap();
        assert_eq!(prove(&desk, &logs, long).await, Ok(()));
        answering.abort();
    }
}
