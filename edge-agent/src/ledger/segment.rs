//! A segment file: its name, its header (written twice, so that one bad sector does not take it) and how it is made.
//! A segment never has its name before its header is on the medium.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use protocol::id::{NodeId, Seq, Stream, Term};
use protocol::ledger::Hash;
use uuid::Uuid;

use super::disk::Disk;

/// Where the records begin.
pub const HEADER_BYTES: u64 = 4096;
const SECOND_COPY: usize = 2048;
const MAGIC: &[u8; 8] = b"TWSEG\0\x01\n";
const COPY_BYTES: usize = 8 + 16 + 4 + 4 + 8 + 32;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The node that writes it.
    pub node: NodeId,
    /// The term it is written under.
    pub term: Term,
    /// The log it is part of.
    pub stream: Stream,
    /// The seq of its first record.
    pub first: Seq,
    /// The chain hash before that record.
    pub previous: Hash,
}

impl Header {
    /// The bytes a segment begins with.
    pub fn encode(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(COPY_BYTES + 4);
        copy.extend_from_slice(MAGIC);
        copy.extend_from_slice(self.node.as_uuid().as_bytes());
        copy.extend_from_slice(&self.term.0.to_le_bytes());
        copy.extend_from_slice(&[self.stream as u8, 0, 0, 0]);
        copy.extend_from_slice(&self.first.0.to_le_bytes());
        copy.extend_from_slice(&self.previous);
        let crc = crc(&copy);
        copy.extend_from_slice(&crc);
        let mut bytes = copy.clone();
        bytes.resize(SECOND_COPY, 0);
        bytes.extend_from_slice(&copy);
        bytes.resize(usize::try_from(HEADER_BYTES).unwrap_or(SECOND_COPY * 2), 0);
        bytes
    }

    /// Reads whichever copy is whole.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Self::decode_copy(bytes).or_else(|| Self::decode_copy(bytes.get(SECOND_COPY..)?))
    }

    fn decode_copy(bytes: &[u8]) -> Option<Self> {
        let (copy, rest) = bytes.split_at_checked(COPY_BYTES)?;
        if *rest.first_chunk::<4>()? != crc(copy) {
            return None;
        }
        let rest = copy.strip_prefix(MAGIC)?;
        let (node, rest) = rest.split_first_chunk::<16>()?;
        let (term, rest) = rest.split_first_chunk::<4>()?;
        let ([stream, ..], rest) = rest.split_first_chunk::<4>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        Some(Self {
            node: NodeId::from_uuid(Uuid::from_bytes(*node)),
            term: Term(u32::from_le_bytes(*term)),
            stream: Stream::from_u8(*stream)?,
            first: Seq(u64::from_le_bytes(*first)),
            previous: *rest.first_chunk::<32>()?,
        })
    }
}

/// The first four bytes of the BLAKE3 of a small block: a checksum for files that are read once.
pub(super) fn crc(bytes: &[u8]) -> [u8; 4] {
    let hash = blake3::hash(bytes);
    let [a, b, c, d, ..] = *hash.as_bytes();
    [a, b, c, d]
}

/// The folder of one log.
pub fn stream_dir(root: &Path, stream: Stream, term: Term) -> PathBuf {
    root.join(stream.name()).join(format!("t{:010}", term.0))
}

/// The path of the segment that begins with `first`.
pub fn path(dir: &Path, first: Seq) -> PathBuf {
    dir.join(format!("{:020}.seg", first.0))
}

/// The terms of which a stream has a folder, ascending.
pub fn terms(root: &Path, stream: Stream) -> io::Result<Vec<Term>> {
    let mut terms: Vec<Term> = names(&root.join(stream.name()))?
        .iter()
        .filter_map(|name| name.strip_prefix('t').and_then(|digits| digits.parse().ok()).map(Term))
        .collect();
    terms.sort_unstable();
    Ok(terms)
}

/// The first seqs of the segments in a folder, ascending. A folder that is not there has none.
pub fn list(dir: &Path) -> io::Result<Vec<Seq>> {
    let mut firsts: Vec<Seq> = names(dir)?
        .iter()
        .filter_map(|name| name.strip_suffix(".seg").and_then(|digits| digits.parse().ok()).map(Seq))
        .collect();
    firsts.sort_unstable();
    Ok(firsts)
}

/// Removes files that a crash left before they had their name.
pub fn remove_unfinished(disk: &Disk, dir: &Path) -> io::Result<()> {
    for name in names(dir)?.iter().filter(|name| name.ends_with(".new")) {
        disk.remove(&dir.join(name))?;
    }
    Ok(())
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(dir) {
        Ok(entries) => {
            entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned())).collect()
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// Makes a segment of `size` bytes: space (or the spare file that has it), header, sync, name, sync of the folder, in
/// this order. A segment of the same name is replaced: it can only be one that holds nothing durable.
pub fn create(disk: &Disk, dir: &Path, header: &Header, size: u64, spare: Option<PathBuf>) -> io::Result<File> {
    let is_spare = spare.is_some();
    let fresh = spare.unwrap_or_else(|| dir.join(format!("{:020}.new", header.first.0)));
    let made = (|| {
        let file = if is_spare { disk.open_write(&fresh)? } else { disk.create(&fresh)? };
        if !is_spare {
            disk.preallocate(&file, size)?;
        }
        disk.write_at(&file, &header.encode(), 0)?;
        disk.sync_all(&file)?;
        disk.rename(&fresh, &path(dir, header.first))?;
        disk.sync_dir(dir)?;
        Ok(file)
    })();
    if made.is_err() {
        // The space it took matters more than the reason it cannot be removed; the next open tries again.
        drop(disk.remove(&fresh));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            node: NodeId::from_uuid(Uuid::from_u128(7)),
            term: Term(2),
            stream: Stream::Fiscal,
            first: Seq(900),
            previous: [9; 32],
        }
    }

    #[test]
    fn a_header_survives_the_loss_of_either_copy() {
        let bytes = header().encode();
        assert_eq!(bytes.len() as u64, HEADER_BYTES);
        for damaged in [0..SECOND_COPY, SECOND_COPY..4096] {
            let mut copy = bytes.clone();
            copy[damaged].fill(0xFF);
            assert_eq!(Header::decode(&copy), Some(header()));
        }
        assert_eq!(Header::decode(&vec![0; 4096]), None);
        assert_eq!(Header::decode(&bytes[..40]), None);
    }

    #[test]
    fn a_segment_is_listed_only_once_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        disk.fail(super::super::disk::Operation::Allocate, rustix::io::Errno::NOSPC, 1);
        assert!(create(&disk, dir.path(), &header(), 8192, None).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        create(&disk, dir.path(), &header(), 8192, None).unwrap();
        fs::write(dir.path().join("00000000000000000001.new"), b"half").unwrap();
        remove_unfinished(&disk, dir.path()).unwrap();
        assert_eq!(list(dir.path()).unwrap(), vec![Seq(900)]);
        assert_eq!(fs::metadata(path(dir.path(), Seq(900))).unwrap().len(), 8192);
    }
}
