//! Records into a batch and back. Unpacking is bounded before it starts: the stated size is checked against the
//! limit, and the decoder is given exactly that much room, so a bomb ends as an error.

use super::v1::{BatchV1, RecordV1};
use crate::event::RawEvent;
use crate::id::{Seq, Stream};
use crate::ledger::{Hash, Record};
use crate::limits;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// Below this, zstd adds more than it takes.
const WORTH_PACKING_BYTES: usize = 128;
/// zstd's own default: a small node packs while it sells.
const LEVEL: i32 = 3;
/// Postcard bytes around the body of one record, at most: three varints, a byte, the length.
const RECORD_OVERHEAD_BYTES: usize = 24;

/// Why records are not a batch, or a batch holds no records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No records, too many, or seqs that do not rise.
    #[error("a batch needs 1 to {} records with rising seqs", limits::BATCH_EVENTS)]
    Shape,
    /// More bytes than a batch may have once unpacked.
    #[error("a batch of {bytes} bytes is over its limit")]
    TooLarge {
        /// Its stated or real size.
        bytes: usize,
    },
    /// The packed bytes do not hold what the batch says.
    #[error("the packed bytes do not hold what the batch says")]
    Malformed,
}

/// How many of these records fit into one batch: at least one, if there is one (a large event travels alone).
pub fn fits_in_batch(records: &[Record]) -> usize {
    let mut bytes = 0_usize;
    let fitting = records.iter().take(limits::BATCH_EVENTS).take_while(|record| {
        bytes = bytes.saturating_add(record.event.body.len()).saturating_add(RECORD_OVERHEAD_BYTES);
        bytes <= limits::BATCH_BYTES
    });
    fitting.count().max(records.len().min(1))
}

const fn plain_limit(count: usize) -> usize {
    if count == 1 {
        limits::EVENT_BYTES + 2 * RECORD_OVERHEAD_BYTES
    } else {
        limits::BATCH_BYTES + RECORD_OVERHEAD_BYTES
    }
}

/// Packs records into one batch; `prev` is the chain hash before the first of them, if known.
///
/// # Errors
/// [`BatchError::Shape`] for no, too many or unordered records, [`BatchError::TooLarge`] beyond the batch limit.
pub fn pack(stream: Stream, records: &[Record], prev: Option<Hash>) -> Result<BatchV1, BatchError> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else { return Err(BatchError::Shape) };
    if records.len() > limits::BATCH_EVENTS || first.seq.0 == 0 {
        return Err(BatchError::Shape);
    }
    let mut expected = first.seq.0;
    let mut plain = Vec::with_capacity(records.len());
    for record in records {
        let skipped = record.seq.0.checked_sub(expected).ok_or(BatchError::Shape)?;
        expected = record.seq.0.saturating_add(1);
        let RawEvent { kind, version, body } = &record.event;
        plain.push(RecordV1 { skipped, kind: *kind, version: *version, body: body.clone() });
    }
    let plain = postcard::to_stdvec(&plain).map_err(|_| BatchError::Malformed)?;
    if plain.len() > plain_limit(records.len()) {
        return Err(BatchError::TooLarge { bytes: plain.len() });
    }
    let plain_bytes = u32::try_from(plain.len()).map_err(|_| BatchError::TooLarge { bytes: plain.len() })?;
    let count = u32::try_from(records.len()).map_err(|_| BatchError::Shape)?;
    let smaller = if plain.len() < WORTH_PACKING_BYTES {
        None
    } else {
        zstd::bulk::compress(&plain, LEVEL).ok().filter(|packed| packed.len() < plain.len())
    };
    let (packing, packed) = smaller.map_or((PLAIN, plain), |packed| (ZSTD, packed));
    Ok(BatchV1 {
        stream: stream as u8,
        first: first.seq.0,
        last: last.seq.0,
        prev,
        count,
        plain_bytes,
        packing,
        packed,
    })
}

impl BatchV1 {
    /// The records, checked: count, order, first and last are what the batch says.
    ///
    /// # Errors
    /// [`BatchError::TooLarge`] before anything is unpacked, [`BatchError::Malformed`] or [`BatchError::Shape`]
    /// when the content does not agree with the batch.
    pub fn unpack(&self) -> Result<Vec<Record>, BatchError> {
        let (count, bytes) = (to_usize(self.count), to_usize(self.plain_bytes));
        if count == 0 || count > limits::BATCH_EVENTS || self.first == 0 {
            return Err(BatchError::Shape);
        }
        if bytes > plain_limit(count) || self.packed.len() > bytes {
            return Err(BatchError::TooLarge { bytes });
        }
        let unpacked;
        let plain = match self.packing {
            PLAIN => &self.packed,
            ZSTD => {
                unpacked = zstd::bulk::decompress(&self.packed, bytes).map_err(|_| BatchError::Malformed)?;
                &unpacked
            }
            _ => return Err(BatchError::Malformed),
        };
        if plain.len() != bytes {
            return Err(BatchError::Malformed);
        }
        let Ok((records, [])) = postcard::take_from_bytes::<Vec<RecordV1>>(plain) else {
            return Err(BatchError::Malformed);
        };
        if records.len() != count {
            return Err(BatchError::Shape);
        }
        self.number(records)
    }

    fn number(&self, records: Vec<RecordV1>) -> Result<Vec<Record>, BatchError> {
        let mut next = self.first;
        let mut out = Vec::with_capacity(records.len());
        for RecordV1 { skipped, kind, version, body } in records {
            let seq = next.checked_add(skipped).ok_or(BatchError::Shape)?;
            next = seq.checked_add(1).ok_or(BatchError::Shape)?;
            out.push(Record { seq: Seq(seq), event: RawEvent { kind, version, body } });
        }
        let agrees = out.first().is_some_and(|record| record.seq.0 == self.first)
            && out.last().is_some_and(|record| record.seq.0 == self.last);
        if agrees { Ok(out) } else { Err(BatchError::Shape) }
    }
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Packs a delivery for the wire.
///
/// # Errors
/// [`BatchError::TooLarge`] beyond [`limits::TRANSFER_BYTES`].
pub(crate) fn pack_delivery(plain: &[u8]) -> Result<Vec<u8>, BatchError> {
    if plain.is_empty() || plain.len() > limits::TRANSFER_BYTES {
        return Err(BatchError::TooLarge { bytes: plain.len() });
    }
    zstd::bulk::compress(plain, LEVEL).map_err(|_| BatchError::Malformed)
}

/// Unpacks a delivery of a stated size.
///
/// # Errors
/// [`BatchError::TooLarge`] before anything is unpacked, [`BatchError::Malformed`] when the size is another.
pub(crate) fn unpack_delivery(packed: &[u8], bytes: usize) -> Result<Vec<u8>, BatchError> {
    if bytes > limits::TRANSFER_BYTES {
        return Err(BatchError::TooLarge { bytes });
    }
    let plain = zstd::bulk::decompress(packed, bytes).map_err(|_| BatchError::Malformed)?;
    if plain.len() == bytes { Ok(plain) } else { Err(BatchError::Malformed) }
}
