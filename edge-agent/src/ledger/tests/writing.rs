//! Writers, readers and disks that misbehave: who is answered when, and what stands in the log after.

use std::time::Duration;

use rustix::io::Errno;

use super::*;

fn open_on(root: &Path, disk: &Disk) -> Logs {
    Logs::open(root, node(), TERM, small(disk)).unwrap().0
}

async fn queued(logs: &Logs, bytes: usize) {
    let taken = |logs: &Logs| limits::LEDGER_QUEUE_BYTES - logs.inner.room.available_permits();
    tokio::time::timeout(Duration::from_secs(20), async {
        while taken(logs) < bytes {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn those_who_wait_together_share_one_sync() {
    let home = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let logs = open_on(home.path(), &disk);
    disk.hold(Operation::Sync);
    let append = |n: u64| {
        let logs = logs.clone();
        tokio::spawn(async move { logs.append(Stream::Fiscal, event(n, 100)).await.unwrap().seq })
    };
    let first = append(0);
    queued(&logs, 1).await;
    disk.wait_for_held();
    let before = disk.syncs();
    let others: Vec<_> = (1..=31).map(append).collect();
    queued(&logs, 32 * (100 + limits::LEDGER_QUEUE_ITEM_BYTES)).await;
    disk.heal();
    first.await.unwrap();
    let mut got = Vec::new();
    for other in others {
        got.push(other.await.unwrap().0);
    }
    got.sort_unstable();
    assert_eq!(got, (2..=32).collect::<Vec<_>>());
    assert_eq!(disk.syncs() - before, 2, "one for the first, one for the thirty-one that came meanwhile");
}

#[tokio::test]
async fn one_request_over_two_logs_syncs_each_once() {
    let home = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let logs = open_on(home.path(), &disk);
    let before = disk.syncs();
    let items = [Stream::Fiscal, Stream::Work, Stream::Work, Stream::Fiscal].map(|stream| (stream, event(1, 9)));
    let appended = logs.append_all(items.to_vec()).await.unwrap();
    assert_eq!(appended.iter().map(|a| a.seq.0).collect::<Vec<_>>(), [1, 1, 2, 2]);
    assert_eq!(disk.syncs() - before, 2);
    assert_eq!(appended[3].hash, logs.head(Stream::Fiscal).hash);
    assert!(logs.append_all(Vec::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_shown_before_it_is_durable() {
    let home = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let logs = open_on(home.path(), &disk);
    let mut watch = logs.watch(Stream::Fiscal);
    disk.hold(Operation::Sync);
    let waiting = tokio::spawn({
        let logs = logs.clone();
        async move { logs.append(Stream::Fiscal, event(1, 10)).await.unwrap() }
    });
    queued(&logs, 1).await;
    disk.wait_for_held();
    assert_eq!(logs.head(Stream::Fiscal).durable, Seq(0));
    assert!(!watch.has_changed().unwrap() && all(&logs, Stream::Fiscal).is_empty());
    assert!(!waiting.is_finished());
    disk.heal();
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow(), Seq(1));
    assert_eq!(all(&logs, Stream::Fiscal).len(), 1);
    assert_eq!(waiting.await.unwrap().seq, Seq(1));
}

#[tokio::test]
async fn loose_events_are_bounded_come_in_order_and_become_durable_by_themselves() {
    let home = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let logs = open_on(home.path(), &disk);
    let mut watch = logs.watch(Stream::Work);
    for n in 1..=3 {
        logs.append_unsynced(Stream::Work, event(n, 20)).unwrap();
    }
    tokio::time::timeout(Duration::from_secs(20), watch.wait_for(|seq| *seq == Seq(3))).await.unwrap().unwrap();
    disk.hold(Operation::Sync);
    let mut taken = 3;
    while logs.append_unsynced(Stream::Work, event(taken + 1, 100_000)).is_ok() {
        taken += 1;
        assert!(taken < 100);
    }
    assert!(matches!(logs.append_unsynced(Stream::Work, event(1, 100_000)), Err(LedgerError::QueueFull)));
    disk.heal();
    assert_eq!(logs.append(Stream::Fiscal, event(1, 9)).await.unwrap().seq, Seq(1), "a sale has a room of its own");
    drop(logs);
    let logs = open_on(home.path(), &disk);
    assert_eq!(seqs(&all(&logs, Stream::Work)), (1..=taken).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_disk_refuses_with_advice_and_goes_on_when_there_is_room() {
    let home = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let logs = open_on(home.path(), &disk);
    disk.fail(Operation::Allocate, Errno::NOSPC, u64::MAX);
    let mut written = 0;
    let error = loop {
        match logs.append(Stream::Fiscal, event(written + 1, 500)).await {
            Ok(appended) => written = appended.seq.0,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, LedgerError::DiskFull { stream: Stream::Fiscal, .. }), "{error}");
    assert!(error.to_string().contains("free at least"));
    assert!(logs.append(Stream::Fiscal, event(0, 500)).await.is_err());
    assert_eq!(all(&logs, Stream::Fiscal).len() as u64, written);
    disk.heal();
    fill(&logs, Stream::Fiscal, written + 1..=written + 40, 500).await;
    drop(logs);
    assert_eq!(assert_clean(home.path())[0].records, written + 40);
}

#[tokio::test]
async fn a_sync_that_fails_once_is_made_good_in_a_fresh_segment() {
    for operation in [Operation::Sync, Operation::Write] {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        let logs = open_on(home.path(), &disk);
        fill(&logs, Stream::Fiscal, 1..=3, 100).await;
        logs.append_unsynced(Stream::Fiscal, event(4, 100)).unwrap();
        disk.fail(operation, Errno::IO, 1);
        assert_eq!(logs.append(Stream::Fiscal, event(5, 100)).await.unwrap().seq, Seq(5));
        assert_eq!(logs.shared(Stream::Fiscal).view().segments, [Seq(1), Seq(4)], "the old file is not trusted again");
        fill(&logs, Stream::Fiscal, 6..=7, 100).await;
        let records = all(&logs, Stream::Fiscal);
        assert!(records.iter().enumerate().all(|(i, r)| r.event == event(i as u64 + 1, 100)), "{operation:?}");
        drop(logs);
        assert_eq!(assert_clean(home.path())[0].records, 7);
        assert_eq!(all(&open(home.path()).0, Stream::Fiscal), records);
    }
}

#[tokio::test]
async fn a_disk_that_keeps_failing_refuses_and_the_log_stays_whole() {
    let home = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let logs = open_on(home.path(), &disk);
    fill(&logs, Stream::Fiscal, 1..=3, 100).await;
    disk.fail(Operation::Sync, Errno::IO, u64::MAX);
    logs.append_unsynced(Stream::Fiscal, event(4, 100)).unwrap();
    for n in 0..3 {
        let refused = logs.append(Stream::Fiscal, event(90 + n, 100)).await;
        assert!(matches!(refused, Err(LedgerError::NotDurable { .. })), "{refused:?}");
    }
    assert_eq!(logs.head(Stream::Fiscal).durable, Seq(3));
    disk.heal();
    // The loose one nobody was told anything about is still there, before what comes now; the refused are not.
    fill(&logs, Stream::Fiscal, 5..=6, 100).await;
    let records = all(&logs, Stream::Fiscal);
    assert!(records.iter().enumerate().all(|(i, r)| r.event == event(i as u64 + 1, 100)));
    assert_eq!(records.len(), 6);
    drop(logs);
    assert_clean(home.path());
    assert_eq!(all(&open(home.path()).0, Stream::Fiscal), records);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_a_gapless_log_while_it_is_written_and_rolled() {
    let home = tempfile::tempdir().unwrap();
    let logs = open_on(home.path(), &Disk::default());
    let reader = tokio::spawn({
        let (logs, mut head) = (logs.clone(), logs.watch(Stream::Fiscal));
        async move {
            let mut next = 1;
            while next <= 600 {
                // As the uplink does: woken by a new head, then as much as is there, a little at a time.
                let durable = *head.wait_for(|durable| durable.0 >= next).await.unwrap();
                while next <= durable.0 {
                    for record in logs.read(Stream::Fiscal, Seq(next), 7, 2_000).unwrap() {
                        assert_eq!((record.seq, record.event), (Seq(next), event(next, 90)));
                        next += 1;
                    }
                }
            }
        }
    });
    fill(&logs, Stream::Fiscal, 1..=600, 90).await;
    reader.await.unwrap();
    assert!(logs.shared(Stream::Fiscal).view().segments.len() > 5);
    let mut count = 0;
    let seen = logs.replay(Stream::Fiscal, Seq(590), &mut |record| {
        count += 1;
        if record.seq == Seq(599) { Err(LedgerError::reader("enough")) } else { Ok(()) }
    });
    assert_eq!((seen.unwrap_err().to_string(), count), ("enough".to_owned(), 10));
}

/// The lock of the published state is not held over a read of the disk: with the writer in line for it, the reader's
/// next look would wait for the writer, the writer for the reader, and the shop for both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_read_of_old_sales_keeps_nobody_from_selling() {
    let home = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let logs = open_on(home.path(), &disk);
    fill(&logs, Stream::Fiscal, 1..=3, 100).await;
    disk.hold(Operation::Read);
    let reader = tokio::task::spawn_blocking({
        let logs = logs.clone();
        move || logs.read(Stream::Fiscal, Seq(1), 10, 10_000).unwrap()
    });
    disk.wait_for_held();
    let sold = tokio::time::timeout(Duration::from_secs(20), logs.append(Stream::Fiscal, event(4, 100))).await;
    disk.heal();
    assert_eq!(seqs(&reader.await.unwrap()), [1, 2, 3]);
    assert_eq!(sold.expect("a sale waited for a reader").unwrap().seq, Seq(4));
}

#[tokio::test]
async fn spare_segments_are_used_survive_a_restart_and_may_fail() {
    let home = tempfile::tempdir().unwrap();
    let options = |disk: &Disk| Options { spares: true, ..small(disk) };
    let disk = Disk::default();
    let (logs, _) = Logs::open(home.path(), node(), TERM, options(&disk)).unwrap();
    fill(&logs, Stream::Fiscal, 1..=400, 60).await;
    drop(logs);
    assert_clean(home.path());
    let ready = segment::stream_dir(home.path(), Stream::Fiscal, TERM).join("spare.ready");
    // A spare of another size is of no use; a whole one is taken, even when a header was already tried on it.
    fs::write(&ready, [0; 100]).unwrap();
    let (logs, _) = Logs::open(home.path(), node(), TERM, options(&disk)).unwrap();
    fill(&logs, Stream::Fiscal, 401..=800, 60).await;
    drop(logs);
    let mut tried = vec![7; 4096];
    tried.resize(12 << 10, 0);
    fs::write(&ready, tried).unwrap();
    let disk = Disk::default();
    let (logs, _) = Logs::open(home.path(), node(), TERM, options(&disk)).unwrap();
    fill(&logs, Stream::Fiscal, 801..=1000, 60).await;
    // From here on no spare can be made, and no segment either: the log refuses only when it is really full.
    disk.fail(Operation::Allocate, Errno::NOSPC, u64::MAX);
    let mut last = 1_000;
    while logs.append(Stream::Fiscal, event(last + 1, 60)).await.is_ok() {
        last += 1;
    }
    disk.heal();
    fill(&logs, Stream::Fiscal, last + 1..=last + 200, 60).await;
    drop(logs);
    assert_eq!(assert_clean(home.path())[0].records, last + 200);
}

#[tokio::test]
async fn large_events_get_a_segment_of_their_size_and_too_large_ones_a_refusal() {
    let home = tempfile::tempdir().unwrap();
    let logs = open_on(home.path(), &Disk::default());
    fill(&logs, Stream::Fiscal, 1..=1, 100).await;
    fill(&logs, Stream::Fiscal, 2..=3, limits::EVENT_BYTES).await;
    fill(&logs, Stream::Fiscal, 4..=4, 100).await;
    let huge = logs.append(Stream::Fiscal, event(5, limits::EVENT_BYTES + 1)).await;
    assert!(matches!(huge, Err(LedgerError::Record(RecordError::TooLarge { .. }))));
    let many = vec![(Stream::Work, event(5, limits::EVENT_BYTES)); 17];
    assert!(matches!(logs.append_all(many).await, Err(LedgerError::TooMuch { .. })));
    let bounded = logs.read(Stream::Fiscal, Seq(2), 10, 1_000).unwrap();
    assert_eq!(seqs(&bounded), [2], "at least one, however large");
    drop(logs);
    assert_eq!(assert_clean(home.path())[0].records, 4);
    let (logs, _) = open(home.path());
    fill(&logs, Stream::Fiscal, 5..=5, 100).await;
}

#[tokio::test]
async fn the_start_reads_the_last_segment_only() {
    let home = tempfile::tempdir().unwrap();
    let logs = open_on(home.path(), &Disk::default());
    for batch in 0..40 {
        let events = (1..=100).map(|n| (Stream::Fiscal, event(batch * 100 + n, 200))).collect();
        logs.append_all(events).await.unwrap();
    }
    assert!(logs.shared(Stream::Fiscal).view().segments.len() > 80);
    drop(logs);
    let disk = Disk::default();
    let logs = open_on(home.path(), &disk);
    assert!(disk.bytes_read() < 4 * (12 << 10), "{} bytes read", disk.bytes_read());
    assert_eq!(logs.head(Stream::Fiscal).durable, Seq(4_000));
    let before = disk.bytes_read();
    assert_eq!(logs.read_one(Stream::Fiscal, Seq(2_000)).unwrap().unwrap().event, event(2_000, 200));
    assert!(disk.bytes_read() - before < 3 * (12 << 10), "a read costs what it reads");
}
