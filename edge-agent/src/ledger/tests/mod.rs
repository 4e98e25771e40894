//! The ledger against cuts, flips, full and failing disks, crowds and a model.

mod crash;
mod damage;
mod model;
mod retiring;
mod writing;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::*;

pub(super) const TERM: Term = Term(3);

pub(super) fn node() -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(0xFEED))
}

/// An event whose bytes are its own: no two of different numbers are alike, and none has a zero byte.
pub(super) fn event(number: u64, bytes: usize) -> RawEvent {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let body = (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            u8::try_from(state % 255).unwrap() + 1
        })
        .collect();
    RawEvent { kind: 1, version: 1, body }
}

pub(super) fn small(disk: &Disk) -> Options {
    // No spares: what they write would meet the failures a test plans for somebody else.
    Options { segment_bytes: 12 << 10, disk: disk.clone(), spares: false }
}

pub(super) fn open(root: &Path) -> (Logs, OpenReport) {
    Logs::open(root, node(), TERM, small(&Disk::default())).unwrap()
}

pub(super) fn all(logs: &Logs, stream: Stream) -> Vec<Record> {
    logs.read(stream, Seq(0), usize::MAX, usize::MAX).unwrap()
}

pub(super) fn seqs(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.seq.0).collect()
}

/// Appends events `from..=to` of a size to a stream, each on its own, and answers where each one ends in the file.
pub(super) async fn fill(
    logs: &Logs,
    stream: Stream,
    numbers: std::ops::RangeInclusive<u64>,
    bytes: usize,
) -> Vec<u64> {
    let mut ends = Vec::new();
    for number in numbers {
        let appended = logs.append(stream, event(number, bytes)).await.unwrap();
        assert_eq!(appended.seq, Seq(number));
        ends.push(logs.shared(stream).view().end);
    }
    ends
}

pub(super) fn segment_file(root: &Path, stream: Stream, first: u64) -> PathBuf {
    segment::path(&segment::stream_dir(root, stream, TERM), Seq(first))
}

pub(super) fn writable(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

pub(super) fn flip(path: &Path, offset: u64, bit: u32) {
    let file = writable(path);
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << bit)], offset).unwrap();
}

pub(super) fn zero(path: &Path, from: u64, to: u64) {
    writable(path).write_all_at(&vec![0; usize::try_from(to - from).unwrap()], from).unwrap();
}

pub(super) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Verifies the folder and expects no damage at all.
pub(super) fn assert_clean(root: &Path) -> Vec<LogReport> {
    let reports = verify(root, node(), &mut |_| ()).unwrap();
    for report in &reports {
        assert!(report.damage.is_empty(), "{report:?}");
        assert_eq!(report.torn_bytes, 0, "{report:?}");
    }
    reports
}
