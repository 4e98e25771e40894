//! Where in a segment a reader may start: one entry for every 16 KiB. For old segments it stands in a small file beside
//! them that may be lost without harm. Knows nothing of what records say.

use std::io;
use std::path::{Path, PathBuf};

use protocol::id::Seq;
use protocol::limits;

use super::disk::Disk;
use super::segment;

const MAGIC: &[u8; 8] = b"TWIDX\0\x01\n";

/// Entry points of one segment, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    entries: Vec<(Seq, u64)>,
}

impl Index {
    /// Takes note that the record `seq` begins at `offset`; most records are passed over.
    pub fn note(&mut self, seq: Seq, offset: u64) {
        if self.entries.last().is_none_or(|(_, last)| offset >= last + limits::LEDGER_INDEX_STRIDE) {
            self.entries.push((seq, offset));
        }
    }

    /// The last entry at or before `seq`.
    pub fn find(&self, seq: Seq) -> Option<(Seq, u64)> {
        let after = self.entries.partition_point(|(at, _)| *at <= seq);
        after.checked_sub(1).and_then(|i| self.entries.get(i)).copied()
    }

    /// Forgets everything from `offset` on.
    pub fn cut(&mut self, offset: u64) {
        self.entries.retain(|(_, at)| *at < offset);
    }

    /// Takes over the entries of `newer` that end before `offset` and are not here yet.
    pub fn extend_to(&mut self, newer: &Self, offset: u64) {
        let have = self.entries.last().map_or(0, |(_, at)| *at);
        self.entries.extend(newer.entries.iter().filter(|(_, at)| *at > have && *at < offset));
    }

    /// The file beside a segment.
    pub fn path(dir: &Path, first: Seq) -> PathBuf {
        segment::path(dir, first).with_extension("idx")
    }

    /// Writes the file. Not synced: whoever finds it damaged does without.
    pub fn save(&self, disk: &Disk, dir: &Path, first: Seq) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        for (seq, offset) in &self.entries {
            bytes.extend_from_slice(&seq.0.to_le_bytes());
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        let crc = segment::crc(&bytes);
        bytes.extend_from_slice(&crc);
        let file = disk.create(&Self::path(dir, first))?;
        disk.write_at(&file, &bytes, 0)
    }

    /// Reads the file; `None` when it is not there, damaged, or larger than an index can be.
    pub fn load(disk: &Disk, dir: &Path, first: Seq) -> Option<Self> {
        let file = disk.open_read(&Self::path(dir, first)).ok()?;
        let len = file.metadata().ok()?.len();
        let most = (2 * limits::SEGMENT_BYTES / limits::LEDGER_INDEX_STRIDE + 2) * 16;
        if len > most {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        disk.read_at(&file, &mut bytes, 0).ok()?;
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if segment::crc(body) != *crc {
            return None;
        }
        let (entries, rest) = body.strip_prefix(MAGIC)?.as_chunks::<16>();
        if !rest.is_empty() {
            return None;
        }
        let entries = entries.iter().map(|entry| {
            let word = u128::from_le_bytes(*entry);
            (Seq(u64::try_from(word & u128::from(u64::MAX)).unwrap_or(0)), u64::try_from(word >> 64).unwrap_or(0))
        });
        Some(Self { entries: entries.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_entry_before_and_survives_a_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        let mut index = Index::default();
        for i in 0..10_000u64 {
            index.note(Seq(100 + i), 4096 + i * 600);
        }
        assert!(index.entries.len() < 10_000 * 600 / 16_384 + 2);
        assert_eq!(index.find(Seq(99)), None);
        assert_eq!(index.find(Seq(100)), Some((Seq(100), 4096)));
        let (seq, offset) = index.find(Seq(5_000)).unwrap();
        assert!(seq <= Seq(5_000) && Seq(5_000).0 - seq.0 <= 28 && offset == 4096 + (seq.0 - 100) * 600);
        index.save(&disk, dir.path(), Seq(100)).unwrap();
        assert_eq!(Index::load(&disk, dir.path(), Seq(100)), Some(index.clone()));
        let path = Index::path(dir.path(), Seq(100));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(Index::load(&disk, dir.path(), Seq(100)), None);
        index.cut(4096 + 600);
        assert_eq!(index.find(Seq(u64::MAX)), Some((Seq(100), 4096)));
    }
}
