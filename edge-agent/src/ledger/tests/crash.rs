//! A process or a power cut may end a write at any byte: everything acknowledged is there after, nothing is invented,
//! and the log goes on without a gap.

use super::*;

/// After the crash, `kept` records must be there, and the log must go on.
async fn check(root: &Path, kept: usize, bytes: usize, what: &str) {
    let (logs, report) = open(root);
    let want: Vec<u64> = (1..=kept as u64).collect();
    let records = all(&logs, Stream::Fiscal);
    assert_eq!(seqs(&records), want, "{what}");
    for record in &records {
        assert_eq!(record.event, event(record.seq.0, bytes), "{what}");
    }
    assert_eq!(report.losses().count(), 0, "{what}: {report:?}");
    fill(&logs, Stream::Fiscal, kept as u64 + 1..=kept as u64 + 2, bytes).await;
    drop(logs);
    let (logs, report) = open(root);
    assert_eq!(seqs(&all(&logs, Stream::Fiscal)).len(), kept + 2, "{what}");
    assert_eq!(report.streams[0].torn_bytes, 0, "{what}");
    drop(logs);
    assert_clean(root);
}

#[tokio::test]
async fn a_log_cut_or_zeroed_from_any_byte_keeps_what_stands_before() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    let ends = fill(&logs, Stream::Fiscal, 1..=4, 50).await;
    drop(logs);
    let last = *ends.last().unwrap();
    for offset in segment::HEADER_BYTES..=last + 1 {
        let kept = ends.iter().filter(|end| **end <= offset).count();
        for cut in [true, false] {
            let crash = tempfile::tempdir().unwrap();
            copy_tree(home.path(), crash.path());
            let path = segment_file(crash.path(), Stream::Fiscal, 1);
            if cut {
                writable(&path).set_len(offset).unwrap();
            } else {
                zero(&path, offset, last + 100);
            }
            check(crash.path(), kept, 50, &format!("offset {offset} cut {cut}")).await;
        }
    }
}

#[tokio::test]
async fn a_segment_without_a_header_never_blocks_the_start() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    fill(&logs, Stream::Fiscal, 1..=300, 60).await;
    let active = logs.shared(Stream::Fiscal).view().segments.last().copied().unwrap().0;
    drop(logs);
    assert!(active > 100, "several segments");
    for cut in [0, 1, 75, 2047, 2048, 2100, 4095] {
        let crash = tempfile::tempdir().unwrap();
        copy_tree(home.path(), crash.path());
        writable(&segment_file(crash.path(), Stream::Fiscal, active)).set_len(cut).unwrap();
        let (logs, report) = open(crash.path());
        // 2048 bytes still hold a whole header; less than its 76 bytes do not.
        assert_eq!(report.losses().count(), usize::from(cut < 76), "cut {cut}");
        assert_eq!(logs.head(Stream::Fiscal).durable, Seq(active - 1));
        fill(&logs, Stream::Fiscal, active..=active + 3, 60).await;
        drop(logs);
        assert_clean(crash.path());
    }
    // Both copies of the header gone, the records whole: the records count.
    let path = segment_file(home.path(), Stream::Fiscal, active);
    zero(&path, 0, segment::HEADER_BYTES);
    let (logs, report) = open(home.path());
    assert_eq!(report.losses().next().unwrap().damage.kind, DamageKind::Header);
    assert_eq!(logs.head(Stream::Fiscal).durable, Seq(300));
    fill(&logs, Stream::Fiscal, 301..=302, 60).await;
    assert_eq!(all(&logs, Stream::Fiscal).len(), 302);
}

#[tokio::test]
async fn a_crash_while_a_segment_is_made_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    fill(&logs, Stream::Fiscal, 1..=3, 60).await;
    drop(logs);
    let dir = segment::stream_dir(home.path(), Stream::Fiscal, TERM);
    fs::write(dir.join("00000000000000000004.new"), vec![1; 9_000]).unwrap();
    let (logs, _) = open(home.path());
    assert!(!dir.join("00000000000000000004.new").exists());
    fill(&logs, Stream::Fiscal, 4..=5, 60).await;
    drop(logs);
    // Named and empty: the crash came right after the rename.
    let place = Place::new(home.path(), node(), TERM, Stream::Fiscal);
    let hash = open(home.path()).0.head(Stream::Fiscal).hash;
    segment::create(&Disk::default(), &dir, &place.header(Seq(6), hash), 12 << 10, None).unwrap();
    let (logs, _) = open(home.path());
    fill(&logs, Stream::Fiscal, 6..=7, 60).await;
    drop(logs);
    assert_clean(home.path());
}

#[tokio::test]
async fn a_batch_that_reached_the_disk_in_parts_was_never_acknowledged_and_goes() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    let start = fill(&logs, Stream::Fiscal, 1..=3, 100).await[2];
    let batch = (4..=33).map(|n| (Stream::Fiscal, event(n, 100))).collect();
    logs.append_all(batch).await.unwrap();
    let end = logs.shared(Stream::Fiscal).view().end;
    drop(logs);
    let path = segment_file(home.path(), Stream::Fiscal, 1);
    // The sector in the middle stayed what it was before the batch: zeros. Those before and after got there.
    let sector = (start + 1500) / 512 * 512;
    zero(&path, sector, sector + 512);
    let whole_before = 3 + (sector - start) / 156;
    let (logs, report) = open(home.path());
    assert_eq!(logs.head(Stream::Fiscal).durable, Seq(whole_before));
    assert_eq!(report.losses().count(), 0);
    assert_eq!(report.streams[0].torn_bytes, end - start - (whole_before - 3) * 156);
    let aside = fs::read_dir(home.path().join("set-aside")).unwrap().count();
    assert_eq!(aside, 1, "whole records behind the tear are kept for inspection");
    fill(&logs, Stream::Fiscal, whole_before + 1..=whole_before + 2, 100).await;
    drop(logs);
    assert_clean(home.path());
}

#[tokio::test]
async fn the_first_sector_of_a_batch_may_be_the_one_that_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    let start = fill(&logs, Stream::Fiscal, 1..=3, 100).await[2];
    logs.append_all((4..=33).map(|n| (Stream::Fiscal, event(n, 100))).collect()).await.unwrap();
    drop(logs);
    let path = segment_file(home.path(), Stream::Fiscal, 1);
    // The sector that also holds the last acknowledged record kept its old bytes: zeros from there to its end.
    zero(&path, start, (start / 512 + 1) * 512);
    check(home.path(), 3, 100, "first sector").await;
}

#[tokio::test]
async fn a_second_writer_a_foreign_node_and_an_older_term_are_kept_out() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    fill(&logs, Stream::Fiscal, 1..=2, 10).await;
    let options = || small(&Disk::default());
    let second = Logs::open(home.path(), node(), TERM, options());
    assert!(matches!(second, Err(LedgerError::Locked { .. })));
    assert!(matches!(repair(home.path(), node(), &mut |_| ()), Err(LedgerError::Locked { .. })));
    drop(logs);
    let stranger = NodeId::from_uuid(Uuid::from_u128(1));
    let foreign = Logs::open(home.path(), stranger, TERM, options());
    assert!(matches!(foreign, Err(LedgerError::Foreign { found, .. }) if found == node()));
    let older = Logs::open(home.path(), node(), Term(2), options());
    assert!(matches!(older, Err(LedgerError::OldTerm { found: TERM, asked: Term(2) })));
    let (newer, _) = Logs::open(home.path(), node(), Term(4), options()).unwrap();
    assert_eq!(newer.head(Stream::Fiscal).durable, Seq(0));
    assert_eq!(newer.append(Stream::Fiscal, event(1, 9)).await.unwrap().seq, Seq(1));
    drop(newer);
    assert_eq!(assert_clean(home.path()).len(), 6, "two terms of three streams");
}
