//! The bytes of a log record and the hash chain over them: CRC against damage, chain against tampering.
//! Pure: bytes in, bytes out; which file they stand in is the edge's business, which row HQ's.

mod codec;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::event::RawEvent;
use crate::id::{NodeId, Seq, Stream, Term};

pub use codec::{Codec, Found, MAX_RECORD_BYTES, MIN_RECORD_BYTES, PREFIX_BYTES, RecordError, peek_len, peek_seq};

/// A BLAKE3 hash of the chain.
pub type Hash = [u8; 32];

/// One record of a log, as readers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its position.
    pub seq: Seq,
    /// What it says.
    pub event: RawEvent,
}

/// Whether the records of a stream carry a chain hash. Only money does; the other logs may drop their oldest.
pub const fn is_chained(stream: Stream) -> bool {
    match stream {
        Stream::Fiscal => true,
        Stream::Work | Stream::Telemetry => false,
    }
}

/// The hash before the first record of a log. It names the log, so that no record of one log can stand in another.
pub fn genesis(node: NodeId, term: Term, stream: Stream) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key("tillway 2026 ledger genesis v1");
    hasher.update(node.as_uuid().as_bytes());
    hasher.update(&term.0.to_le_bytes());
    hasher.update(&[stream as u8]);
    *hasher.finalize().as_bytes()
}

/// The hash after `record`, given the hash before it: BLAKE3 over previous hash, seq, kind, version (all of fixed
/// size, integers little-endian) and body.
pub fn link(previous: &Hash, record: &Record) -> Hash {
    link_parts(previous, record.seq, record.event.kind, record.event.version, &record.event.body)
}

/// [`link`] without a `Record` in hand.
pub fn link_parts(previous: &Hash, seq: Seq, kind: u16, version: u8, body: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous);
    hasher.update(&seq.0.to_le_bytes());
    hasher.update(&kind.to_le_bytes());
    hasher.update(&[version]);
    hasher.update(body);
    *hasher.finalize().as_bytes()
}

/// The hash after a run of records that follow each other, beginning right after the record `previous` belongs to.
///
/// # Errors
/// [`ChainError`] names the first record that is not the next one.
pub fn link_run<'a>(
    mut previous: Hash,
    mut last: Seq,
    records: impl IntoIterator<Item = &'a Record>,
) -> Result<(Seq, Hash), ChainError> {
    for record in records {
        if record.seq != last.next() {
            return Err(ChainError { expected: last.next(), found: record.seq });
        }
        previous = link(&previous, record);
        last = record.seq;
    }
    Ok((last, previous))
}

/// A run of records has a gap, so its hash cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chain expects record {expected} and got {found}")]
pub struct ChainError {
    /// What should have come.
    pub expected: Seq,
    /// What came.
    pub found: Seq,
}

/// A hash as lower-case hex, for messages, JSON and file names.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0')));
        }
    }
    text
}
