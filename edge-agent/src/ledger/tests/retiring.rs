//! History leaves in whole segments, after its cursor is durable, and never more than was acknowledged.

use super::*;

fn files(root: &Path, stream: Stream) -> Vec<Seq> {
    segment::list(&segment::stream_dir(root, stream, TERM)).unwrap()
}

#[tokio::test]
async fn only_whole_acknowledged_segments_go() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    fill(&logs, Stream::Fiscal, 1..=400, 60).await;
    let segments = files(home.path(), Stream::Fiscal);
    assert_eq!(logs.retire(Stream::Fiscal, Seq(segments[1].0 - 2)).unwrap().segments, 0);
    let one = logs.retire(Stream::Fiscal, Seq(segments[1].0 - 1)).unwrap();
    assert_eq!((one.segments, one.records, one.first_kept), (1, segments[1].0 - 1, segments[1]));
    assert_eq!(files(home.path(), Stream::Fiscal), segments[1..]);
    assert_eq!(logs.head(Stream::Fiscal).first_kept, segments[1]);
    assert_eq!(logs.read(Stream::Fiscal, Seq(1), 1, 1).unwrap()[0].seq, segments[1]);
    assert_eq!(logs.read_one(Stream::Fiscal, Seq(1)).unwrap(), None);
    assert!(matches!(logs.retire(Stream::Fiscal, Seq(401)), Err(LedgerError::Beyond { .. })));
    let rest = logs.retire(Stream::Fiscal, Seq(400)).unwrap();
    assert_eq!(rest.first_kept, *segments.last().unwrap(), "the one that is written to stays");
    assert_eq!(files(home.path(), Stream::Fiscal).len(), 1);
    let left = fs::read_dir(segment::stream_dir(home.path(), Stream::Fiscal, TERM)).unwrap().count();
    assert_eq!(left, 2, "one segment and the cursor: {left}");
    drop(logs);
    let (logs, _) = open(home.path());
    assert_eq!((logs.acknowledged(Stream::Fiscal), logs.head(Stream::Fiscal).durable), (Seq(400), Seq(400)));
    fill(&logs, Stream::Fiscal, 401..=402, 60).await;
    drop(logs);
    assert_eq!(assert_clean(home.path())[0].first, rest.first_kept);
}

#[tokio::test]
async fn nothing_goes_before_the_cursor_is_durable() {
    let home = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let (logs, _) = Logs::open(home.path(), node(), TERM, small(&disk)).unwrap();
    fill(&logs, Stream::Fiscal, 1..=400, 60).await;
    let segments = files(home.path(), Stream::Fiscal);
    disk.fail(Operation::Sync, rustix::io::Errno::IO, 1);
    assert!(logs.retire(Stream::Fiscal, Seq(400)).is_err());
    assert_eq!(files(home.path(), Stream::Fiscal), segments);
    assert_eq!(logs.acknowledged(Stream::Fiscal), Seq(0));
}

#[tokio::test]
async fn a_full_disk_can_be_freed() {
    let home = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let (logs, _) = Logs::open(home.path(), node(), TERM, small(&disk)).unwrap();
    fill(&logs, Stream::Fiscal, 1..=400, 60).await;
    logs.retire(Stream::Fiscal, Seq(1)).unwrap();
    disk.fail(Operation::Write, rustix::io::Errno::NOSPC, 1);
    assert!(logs.retire(Stream::Fiscal, Seq(400)).unwrap().segments > 1);
    drop(logs);
    assert_eq!(open(home.path()).0.acknowledged(Stream::Fiscal), Seq(400));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_log_carries_what_lives_forward() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    fill(&logs, Stream::Work, 1..=400, 60).await;
    assert!(logs.retire_copying(Stream::Fiscal, Seq(0), &mut |_| Ok(None)).is_err());
    let first_kept = *files(home.path(), Stream::Work).last().unwrap();
    let retired = tokio::task::spawn_blocking({
        let logs = logs.clone();
        move || {
            logs.retire_copying(Stream::Work, Seq(400), &mut |record| {
                Ok((record.seq.0 % 100 == 7).then(|| record.event.clone()))
            })
        }
    })
    .await
    .unwrap()
    .unwrap();
    assert_eq!(retired.first_kept, first_kept);
    let live: Vec<u64> = (1..first_kept.0).filter(|seq| seq % 100 == 7).collect();
    assert_eq!(retired.copied, live.len() as u64);
    let copies = logs.read(Stream::Work, Seq(401), usize::MAX, usize::MAX).unwrap();
    let want: Vec<RawEvent> = live.iter().map(|seq| event(*seq, 60)).collect();
    assert_eq!(copies.into_iter().map(|record| record.event).collect::<Vec<_>>(), want);
}

#[tokio::test]
async fn telemetry_keeps_to_its_budget_and_counts_what_it_dropped() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    fill(&logs, Stream::Telemetry, 1..=400, 60).await;
    assert!(logs.drop_oldest(Stream::Fiscal, 0).is_err());
    let before = logs.head(Stream::Telemetry).first_kept;
    let dropped = logs.drop_oldest(Stream::Telemetry, 3 * (12 << 10)).unwrap();
    let head = logs.head(Stream::Telemetry);
    assert_eq!(dropped.records, head.first_kept.0 - before.0);
    assert_eq!(files(home.path(), Stream::Telemetry).len(), 3);
    assert_eq!(head.durable, Seq(400));
    assert_eq!(logs.drop_oldest(Stream::Telemetry, 0).unwrap().segments, 2);
}
