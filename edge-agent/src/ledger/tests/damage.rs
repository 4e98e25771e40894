//! Bytes that decay after they were safe: named, set aside, and never in the way of the rest.

use super::*;

#[tokio::test]
async fn a_flip_anywhere_in_the_last_segment_loses_one_record_and_names_it() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    let mut ends = vec![segment::HEADER_BYTES];
    ends.extend(fill(&logs, Stream::Fiscal, 1..=6, 40).await);
    drop(logs);
    for offset in (segment::HEADER_BYTES..ends[5]).step_by(3) {
        let rot = tempfile::tempdir().unwrap();
        copy_tree(home.path(), rot.path());
        flip(&segment_file(rot.path(), Stream::Fiscal, 1), offset, u32::try_from(offset % 8).unwrap());
        let lost = ends.iter().filter(|end| **end <= offset).count() as u64;
        let (logs, report) = open(rot.path());
        let losses: Vec<_> = report.losses().collect();
        assert_eq!(losses.len(), 1, "offset {offset}: {losses:?}");
        assert_eq!((losses[0].damage.first, losses[0].damage.last), (Seq(lost), Seq(lost)), "offset {offset}");
        assert!(losses[0].new);
        let copy = fs::read(losses[0].set_aside.as_ref().unwrap()).unwrap();
        assert_eq!(copy.len() as u64, ends[lost as usize] - ends[lost as usize - 1]);
        let want: Vec<u64> = (1..=6).filter(|seq| *seq != lost).collect();
        assert_eq!(seqs(&all(&logs, Stream::Fiscal)), want, "offset {offset}");
        assert_eq!(logs.read_one(Stream::Fiscal, Seq(lost)).unwrap(), None);
        fill(&logs, Stream::Fiscal, 7..=7, 40).await;
        drop(logs);
        let (_, again) = open(rot.path());
        assert!(again.losses().all(|loss| !loss.new), "a known loss is not news");
    }
}

#[tokio::test]
async fn the_very_last_record_is_lost_but_its_number_is_not_given_again() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    let ends = fill(&logs, Stream::Fiscal, 1..=3, 40).await;
    drop(logs);
    // All but the end mark itself: without it a write was cut short.
    for offset in ends[1]..ends[2] - 1 {
        let rot = tempfile::tempdir().unwrap();
        copy_tree(home.path(), rot.path());
        flip(&segment_file(rot.path(), Stream::Fiscal, 1), offset, 4);
        let (logs, report) = open(rot.path());
        let loss = report.losses().next().unwrap();
        assert_eq!((loss.damage.first, loss.damage.last), (Seq(3), Seq(3)), "offset {offset}");
        fill(&logs, Stream::Fiscal, 4..=5, 40).await;
        assert_eq!(seqs(&all(&logs, Stream::Fiscal)), [1, 2, 4, 5]);
        drop(logs);
        let (_, again) = open(rot.path());
        assert_eq!(again.streams[0].durable, Seq(5));
    }
}

#[tokio::test]
async fn a_hole_of_zeros_that_a_later_record_proves_is_a_loss_and_no_tear() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    let start = fill(&logs, Stream::Fiscal, 1..=3, 100).await[2];
    logs.append_all((4..=33).map(|n| (Stream::Fiscal, event(n, 100))).collect()).await.unwrap();
    fill(&logs, Stream::Fiscal, 34..=34, 100).await;
    drop(logs);
    let sector = (start + 1500) / 512 * 512;
    zero(&segment_file(home.path(), Stream::Fiscal, 1), sector, sector + 512);
    let (logs, report) = open(home.path());
    assert_eq!(report.losses().count(), 1);
    let damage = &report.losses().next().unwrap().damage;
    assert_eq!(damage.first, Seq(3 + (sector - start) / 156 + 1));
    assert_eq!(damage.last, Seq(3 + (sector + 512 - start).div_ceil(156)));
    assert_eq!(logs.head(Stream::Fiscal).durable, Seq(34));
    assert_eq!(report.streams[0].torn_bytes, 0);
}

#[tokio::test]
async fn old_segments_are_verified_and_repaired_without_stopping_the_start() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    fill(&logs, Stream::Fiscal, 1..=400, 60).await;
    let segments = logs.shared(Stream::Fiscal).view().segments.clone();
    assert!(segments.len() > 4);
    let head = logs.head(Stream::Fiscal);
    drop(logs);
    let clean = assert_clean(home.path());
    assert_eq!((clean[0].records, clean[0].last, clean[0].segments), (400, Seq(400), segments.len()));
    assert_eq!(clean[0].head_hash.as_deref(), Some(protocol::ledger::hex(&head.hash).as_str()));
    // A body, a length and an end mark, in three segments; and a changed record with a right CRC in a fourth.
    let len = 116;
    let at = |record: u64| segment::HEADER_BYTES + record * len;
    flip(&segment_file(home.path(), Stream::Fiscal, 1), at(5) + 30, 1);
    flip(&segment_file(home.path(), Stream::Fiscal, segments[1].0), at(0) + 1, 7);
    flip(&segment_file(home.path(), Stream::Fiscal, segments[2].0), at(3) - 1, 0);
    forge(home.path(), segments[3], at(4));
    let (logs, report) = open(home.path());
    assert_eq!(report.losses().count(), 0, "the start reads the last segment only");
    assert_eq!(all(&logs, Stream::Fiscal).len(), 397);
    drop(logs);
    let expected = [
        (DamageKind::Record, 6),
        (DamageKind::Record, segments[1].0),
        (DamageKind::Record, segments[2].0 + 2),
        (DamageKind::Chain, segments[3].0 + 4),
        (DamageKind::Chain, segments[3].0 + 5),
    ];
    let seen = |reports: &[LogReport]| -> Vec<_> {
        reports[0].damage.iter().map(|found| (found.damage.kind, found.damage.first.0)).collect()
    };
    let mut steps = 0;
    assert_eq!(seen(&verify(home.path(), node(), &mut |_| steps += 1).unwrap()), expected);
    assert_eq!(steps, segments.len() + 2);
    let repaired = repair(home.path(), node(), &mut |_| ()).unwrap();
    assert_eq!(seen(&repaired), expected);
    assert!(repaired[0].damage.iter().all(|found| found.set_aside.as_ref().unwrap().exists()));
    let json = serde_json::to_value(&repaired).unwrap();
    assert_eq!(json[0]["stream"], "fiscal");
    assert_eq!(json[0]["damage"][0]["kind"], "record");
}

/// Replaces the body of a record by another, with CRC and length right and the chain hash as it was.
fn forge(root: &Path, segment: Seq, at: u64) {
    let path = segment_file(root, Stream::Fiscal, segment.0);
    let codec = protocol::ledger::Codec::new(node(), TERM, Stream::Fiscal);
    let mut bytes = vec![0; 116];
    writable(&path).read_exact_at(&mut bytes, at).unwrap();
    let found = codec.decode(&bytes).unwrap();
    let mut forged = Vec::new();
    // A forger who also recomputes this record's own hash is caught by the next one.
    let event = event(9_999, 60);
    let hash = protocol::ledger::link_parts(&[0; 32], found.seq, event.kind, event.version, &event.body);
    codec.encode(&mut forged, found.seq, &event, found.behind, &hash).unwrap();
    writable(&path).write_all_at(&forged, at).unwrap();
}

#[tokio::test]
async fn a_missing_segment_file_is_named_and_stepped_over() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    fill(&logs, Stream::Fiscal, 1..=400, 60).await;
    let segments = logs.shared(Stream::Fiscal).view().segments.clone();
    fs::remove_file(segment_file(home.path(), Stream::Fiscal, segments[1].0)).unwrap();
    let want: Vec<u64> = (1..segments[1].0).chain(segments[2].0..=400).collect();
    assert_eq!(seqs(&all(&logs, Stream::Fiscal)), want);
    drop(logs);
    let (logs, _) = open(home.path());
    assert_eq!(seqs(&all(&logs, Stream::Fiscal)), want);
    drop(logs);
    let reports = verify(home.path(), node(), &mut |_| ()).unwrap();
    let found: Vec<_> = reports[0].damage.iter().map(|f| (f.damage.kind, f.damage.first, f.damage.last)).collect();
    assert_eq!(found, [(DamageKind::Segment, segments[1], Seq(segments[2].0 - 1))]);
}

#[tokio::test]
async fn an_index_file_that_is_missing_damaged_or_anothers_only_costs_time() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) =
        Logs::open(home.path(), node(), TERM, Options { segment_bytes: 64 << 10, ..Options::default() }).unwrap();
    fill(&logs, Stream::Fiscal, 1..=300, 700).await;
    let segments = logs.shared(Stream::Fiscal).view().segments.clone();
    assert!(segments.len() > 3);
    drop(logs);
    let idx = |i: usize| segment_file(home.path(), Stream::Fiscal, segments[i].0).with_extension("idx");
    fs::copy(idx(1), idx(0)).unwrap();
    fs::write(idx(1), b"garbage").unwrap();
    fs::remove_file(idx(2)).unwrap();
    let (logs, _) = open(home.path());
    for seq in 1..=300 {
        let record = logs.read_one(Stream::Fiscal, Seq(seq)).unwrap().unwrap();
        assert_eq!(record.event, event(seq, 700));
    }
}

#[tokio::test]
async fn export_writes_every_record_as_a_line() {
    let home = tempfile::tempdir().unwrap();
    let (logs, _) = open(home.path());
    fill(&logs, Stream::Fiscal, 1..=250, 60).await;
    fill(&logs, Stream::Work, 1..=2, 4).await;
    let mut out = Vec::new();
    // The agent may run meanwhile.
    let count = export(home.path(), node(), &Selection::default(), &mut out, &mut |_| ()).unwrap();
    assert_eq!(count, 252);
    let lines: Vec<serde_json::Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["seq"], 1);
    assert_eq!(lines[0]["body_hex"], protocol::ledger::hex(&event(1, 60).body));
    assert!(lines[0]["error"].is_string(), "kind 1 is a ticket, and this body is none");
    assert_eq!(lines[251]["stream"], "work");
    let only = Selection { stream: Some(Stream::Fiscal), from: Seq(200), upto: Seq(201), ..Selection::default() };
    let mut out = Vec::new();
    assert_eq!(export(home.path(), node(), &only, &mut out, &mut |_| ()).unwrap(), 2);
}
