//! Proves again and again that lanes could sell: the lane actor answers a question and the ledger's writer takes its
//! turn. Only then the service manager is told that the node lives. A timer that runs proves nothing.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::notify::Notifier;
use super::sources::Sources;
use crate::core::health::Report;
use crate::desk::Desk;
use crate::ledger::Logs;

/// How often without a watchdog: only the sentence is kept fresh then.
const EVERY: Duration = Duration::from_secs(10);

/// Looks until the node stops. `READY=1` goes out once, with the first proof at which the node can sell.
pub async fn run(sources: Arc<Sources>, notifier: Notifier, stopping: watch::Receiver<bool>) {
    let sentence = || {
        let sources = Arc::clone(&sources);
        async move { sources.status().await.headline }
    };
    attend((&sources.desk, &sources.logs), sources.health.clone(), sentence, notifier, stopping).await;
}

/// The sentence is found beside the proofs: it reads files, and a disk that takes minutes over one of them is no
/// reason to end a node that sells.
async fn attend<W: Future<Output = String>>(
    (desk, logs): (&Desk, &Logs),
    mut reports: watch::Receiver<Report>,
    sentence: impl Fn() -> W,
    notifier: Notifier,
    mut stopping: watch::Receiver<bool>,
) {
    if !notifier.is_heard() {
        return;
    }
    let every = notifier.watchdog.map_or(EVERY, |watchdog| watchdog / 4);
    let mut tick = tokio::time::interval(every.max(Duration::from_millis(10)));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut ready, mut answers, mut telling) = (false, true, None);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            Ok(()) = reports.changed() => {}
            said = found(&mut telling) => {
                telling = None;
                if answers {
                    notifier.status(&said);
                }
                continue;
            }
            () = crate::stop::asked(&mut stopping) => break,
        }
        // Half of what is granted: a proof that comes later would come too late.
        let proof = prove(desk, logs, every * 2).await;
        answers = proof.is_ok();
        if let Err(silent) = proof {
            metrics::counter!("tillway_watchdog_silent_total", "what" => silent).increment(1);
            tracing::error!(reason = silent, "no sign of life: the service manager will start the node again");
            notifier.status(&format!("Not selling: {silent} does not answer."));
            continue;
        }
        notifier.alive();
        if !ready && reports.borrow().ready() {
            ready = true;
            notifier.ready();
        }
        telling = telling.or_else(|| Some(Box::pin(sentence())));
    }
    notifier.stopping();
}

/// The sentence once it is found; never without a search.
async fn found<W: Future<Output = String>>(telling: &mut Option<Pin<Box<W>>>) -> String {
    match telling {
        Some(sentence) => sentence.await,
        None => pending().await,
    }
}

/// Asks the lanes and the ledger, both within some time.
///
/// # Errors
/// Who does not answer.
pub async fn prove(desk: &Desk, logs: &Logs, within: Duration) -> Result<(), &'static str> {
    let until = Instant::now() + within;
    match timeout_at(until, desk.lanes()).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) | Err(_) => return Err("the lane desk"),
    }
    match timeout_at(until, logs.answers()).await {
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

    /// A desk that answers.
    fn answering() -> (Desk, tokio::task::JoinHandle<()>) {
        let (desk, mut asks) = Desk::new(1);
        let task = tokio::spawn(async move {
            while let Some(ask) = asks.recv().await {
                if let Ask::Lanes(reply) = ask {
                    drop(reply.send(Ok(Vec::new())));
                }
            }
        });
        (desk, task)
    }

    #[tokio::test]
    async fn a_node_that_cannot_say_how_it_does_lives_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let node = NodeId::from_uuid(uuid::Uuid::from_u128(3));
        let (logs, _) = Logs::open(dir.path(), node, Term(1), Options::default()).unwrap();
        let (desk, answering) = answering();
        let path = dir.path().join("notify");
        let manager = tokio::net::UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(&path, Some(Duration::from_millis(200)));
        let (stop, stopping) = watch::channel(false);
        let (_reports, health) = watch::channel(Report::default());
        // The disk hangs over a file that the sentence needs.
        let attending = tokio::spawn(async move {
            attend((&desk, &logs), health, pending::<String>, notifier, stopping).await;
        });
        let mut signs = 0;
        while signs < 5 {
            let mut bytes = [0; 256];
            let heard = tokio::time::timeout(Duration::from_secs(30), manager.recv(&mut bytes));
            let length = heard.await.expect("it lives, and says so").unwrap();
            signs += u32::from(&bytes[..length] == b"WATCHDOG=1");
        }
        stop.send(true).unwrap();
        attending.await.unwrap();
        answering.abort();
    }
}
