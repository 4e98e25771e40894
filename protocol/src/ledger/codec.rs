//! Layout of one record, all integers little-endian:
//! `word u32 | crc u32 | seq u64 | kind u16 | version u8 | behind u32 | body | [chain hash, 32] | 0xA5`.
//! The word holds the length in 21 bits and a check of that length in 11, so that a flip in it is told from a flip
//! elsewhere and never sends a reader astray. The CRC-32C covers the log's salt, the word and all that follows it.

use crate::event::RawEvent;
use crate::id::{NodeId, Seq, Stream, Term};
use crate::ledger::{Hash, Record, genesis, is_chained};
use crate::limits;

const WORD: usize = 4;
const CRC: usize = 4;
const FIXED: usize = 8 + 2 + 1 + 4;
const HASH: usize = 32;
/// Last byte of every record: a write that was cut short lacks it, a record that decayed later still has it.
const END: u8 = 0xA5;
const LEN_BITS: u32 = 21;
const LEN_MASK: u32 = (1 << LEN_BITS) - 1;

/// Bytes from which [`peek_len`] and [`peek_seq`] can tell length and seq.
pub const PREFIX_BYTES: usize = WORD + CRC + 8;
/// The smallest record: an empty body, no chain hash.
pub const MIN_RECORD_BYTES: usize = WORD + CRC + FIXED + 1;
/// The largest record: the largest event with a chain hash.
pub const MAX_RECORD_BYTES: usize = MIN_RECORD_BYTES + HASH + limits::EVENT_BYTES;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A zero word: nothing was ever written here.
    #[error("the log ends here")]
    End,
    /// The bytes stop before the record does.
    #[error("the record is cut: {needed} bytes are needed and {available} are there")]
    Cut {
        /// Bytes of the whole record, as far as they are known.
        needed: usize,
        /// Bytes that are there.
        available: usize,
    },
    /// The length does not agree with its own check or is outside the limits.
    #[error("the length of the record is damaged")]
    Length,
    /// The CRC does not fit: damage, or a record of another log.
    #[error("the checksum of the record does not fit")]
    Checksum,
    /// The event is over [`limits::EVENT_BYTES`] and was not written.
    #[error("an event of {bytes} bytes is larger than a record may be")]
    TooLarge {
        /// Size of its body.
        bytes: usize,
    },
}

/// A record found in bytes, still borrowing them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// Its position.
    pub seq: Seq,
    /// What happened.
    pub kind: u16,
    /// Version of the body's struct.
    pub version: u8,
    /// How many records right before this one were not yet known to be durable when it was written.
    /// All before those were: that is how a reader tells a hole that no power cut can have made.
    pub behind: u32,
    /// The struct in postcard.
    pub body: &'a [u8],
    /// The chain hash after this record, in a chained stream.
    pub hash: Option<Hash>,
    /// Bytes of the whole record.
    pub len: usize,
}

impl Found<'_> {
    /// The record as its own value.
    pub fn to_record(&self) -> Record {
        Record { seq: self.seq, event: RawEvent { kind: self.kind, version: self.version, body: self.body.to_vec() } }
    }

    /// The last seq that was durable before this record was written.
    pub fn durable_before(&self) -> Seq {
        Seq(self.seq.0.saturating_sub(1).saturating_sub(u64::from(self.behind)))
    }
}

/// Reads and writes the records of one log. Another log's records fail its CRC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec {
    genesis: Hash,
    chained: bool,
}

impl Codec {
    /// The codec of a node's log.
    pub fn new(node: NodeId, term: Term, stream: Stream) -> Self {
        Self { genesis: genesis(node, term, stream), chained: is_chained(stream) }
    }

    /// The hash before the first record.
    pub const fn genesis(&self) -> &Hash {
        &self.genesis
    }

    /// Whether records carry the chain hash.
    pub const fn chained(&self) -> bool {
        self.chained
    }

    /// Bytes that a record of a body of this size takes.
    pub const fn record_len(&self, body_bytes: usize) -> usize {
        MIN_RECORD_BYTES + body_bytes + if self.chained { HASH } else { 0 }
    }

    /// Appends the bytes of one record to `out`; `hash` is the chain hash after it (unused in an unchained stream).
    ///
    /// # Errors
    /// [`RecordError::TooLarge`] beyond [`limits::EVENT_BYTES`]; `out` is then unchanged.
    pub fn encode(
        &self,
        out: &mut Vec<u8>,
        seq: Seq,
        event: &RawEvent,
        behind: u32,
        hash: &Hash,
    ) -> Result<usize, RecordError> {
        if event.body.len() > limits::EVENT_BYTES {
            return Err(RecordError::TooLarge { bytes: event.body.len() });
        }
        let total = self.record_len(event.body.len());
        let len = u32::try_from(total - WORD - CRC).map_err(|_| RecordError::Length)?;
        let word = pack(len).to_le_bytes();
        out.reserve(total);
        let start = out.len();
        out.extend_from_slice(&word);
        out.extend_from_slice(&[0; CRC]);
        out.extend_from_slice(&seq.0.to_le_bytes());
        out.extend_from_slice(&event.kind.to_le_bytes());
        out.push(event.version);
        out.extend_from_slice(&behind.to_le_bytes());
        out.extend_from_slice(&event.body);
        if self.chained {
            out.extend_from_slice(hash);
        }
        out.push(END);
        let payload = start + WORD + CRC;
        let crc = self.crc(word, out.get(payload..).unwrap_or_default()).to_le_bytes();
        if let Some(place) = out.get_mut(start + WORD..payload) {
            place.copy_from_slice(&crc);
        }
        Ok(total)
    }

    /// Reads the record at the start of `bytes`; more may follow it. Allocates nothing.
    ///
    /// # Errors
    /// [`RecordError`] says what is wrong; [`RecordError::End`] where nothing was written.
    pub fn decode<'a>(&self, bytes: &'a [u8]) -> Result<Found<'a>, RecordError> {
        let total = peek_len(bytes)?;
        let cut = RecordError::Cut { needed: total, available: bytes.len() };
        let record = bytes.get(..total).ok_or(cut)?;
        let (word, rest) = record.split_first_chunk::<WORD>().ok_or(cut)?;
        let (crc, payload) = rest.split_first_chunk::<CRC>().ok_or(cut)?;
        if self.crc(*word, payload) != u32::from_le_bytes(*crc) {
            return Err(RecordError::Checksum);
        }
        self.fields(payload, total).ok_or(RecordError::Length)
    }

    fn fields<'a>(&self, payload: &'a [u8], len: usize) -> Option<Found<'a>> {
        let (seq, rest) = payload.split_first_chunk::<8>()?;
        let (kind, rest) = rest.split_first_chunk::<2>()?;
        let ([version], rest) = rest.split_first_chunk::<1>()?;
        let (behind, rest) = rest.split_first_chunk::<4>()?;
        let (rest, [END]) = rest.split_last_chunk::<1>()? else { return None };
        let (body, hash) = if self.chained {
            let (body, hash) = rest.split_last_chunk::<HASH>()?;
            (body, Some(*hash))
        } else {
            (rest, None)
        };
        Some(Found {
            seq: Seq(u64::from_le_bytes(*seq)),
            kind: u16::from_le_bytes(*kind),
            version: *version,
            behind: u32::from_le_bytes(*behind),
            body,
            hash,
            len,
        })
    }

    fn crc(&self, word: [u8; WORD], payload: &[u8]) -> u32 {
        let [a, b, c, d, ..] = self.genesis;
        let [e, f, g, h] = word;
        crc32c::crc32c_append(crc32c::crc32c(&[a, b, c, d, e, f, g, h]), payload)
    }
}

/// Bytes of the whole record that starts here, once its length is proven by its own check.
///
/// # Errors
/// [`RecordError::End`] at a zero word, [`RecordError::Cut`] with less than a word, [`RecordError::Length`].
pub fn peek_len(bytes: &[u8]) -> Result<usize, RecordError> {
    let cut = RecordError::Cut { needed: MIN_RECORD_BYTES, available: bytes.len() };
    let (word, _) = bytes.split_first_chunk::<WORD>().ok_or(cut)?;
    let word = u32::from_le_bytes(*word);
    if word == 0 {
        return Err(RecordError::End);
    }
    let len = word & LEN_MASK;
    let total = usize::try_from(len).map_err(|_| RecordError::Length)? + WORD + CRC;
    if pack(len) != word || !(MIN_RECORD_BYTES..=MAX_RECORD_BYTES).contains(&total) {
        return Err(RecordError::Length);
    }
    Ok(total)
}

/// The seq a record that starts here claims; unproven until [`Codec::decode`] says so.
pub fn peek_seq(bytes: &[u8]) -> Option<Seq> {
    let (_, rest) = bytes.split_at_checked(WORD + CRC)?;
    rest.first_chunk::<8>().map(|seq| Seq(u64::from_le_bytes(*seq)))
}

/// Length and the top bits of its CRC in one word. Every single flip is seen: see the test of the syndromes.
fn pack(len: u32) -> u32 {
    let [a, b, c, _] = len.to_le_bytes();
    let check = crc32c::crc32c(&[a, b, c]) >> LEN_BITS;
    (len & LEN_MASK) | (check << LEN_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flip_in_the_length_word_is_always_seen() {
        // CRC is affine: what a flip of bit i does to the check is the same for every length.
        let syndromes: Vec<u32> = (0..LEN_BITS).map(|bit| (pack(1 << bit) ^ pack(0)) >> LEN_BITS).collect();
        assert!(syndromes.iter().all(|s| *s != 0), "{syndromes:?}");
        for len in (0..=LEN_MASK).step_by(997) {
            for bit in 0..32 {
                assert!(peek_len(&(pack(len) ^ (1 << bit)).to_le_bytes()).is_err(), "{len} {bit}");
            }
        }
    }

    #[test]
    fn a_flip_in_an_empty_tail_is_no_length() {
        for bit in 0..32 {
            assert_eq!(peek_len(&(1u32 << bit).to_le_bytes()), Err(RecordError::Length), "{bit}");
        }
        assert_eq!(peek_len(&[0; 4]), Err(RecordError::End));
    }
}
