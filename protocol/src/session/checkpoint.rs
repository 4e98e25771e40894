//! A signed checkpoint and its frame. The signature is over the canonical bytes, not over the frame.

use crate::enroll::{CheckpointV1, Signature, SignedCheckpoint};
use crate::frame::v1;
use crate::id::{Seq, Stream, Term};
use crate::timestamp::Timestamp;

pub(super) fn to_wire(signed: &SignedCheckpoint) -> v1::CheckpointV1 {
    let CheckpointV1 { stream, term, seq, head_hash, at } = signed.checkpoint;
    v1::CheckpointV1 {
        stream: stream as u8,
        term: term.0,
        seq: seq.0,
        head_hash,
        at_ms: at.0,
        signature: signed.signature.to_bytes().to_vec(),
    }
}

/// `None` for a stream there is not, or a signature of another length.
pub(super) fn from_wire(wire: &v1::CheckpointV1) -> Option<SignedCheckpoint> {
    let checkpoint = CheckpointV1 {
        stream: Stream::from_u8(wire.stream)?,
        term: Term(wire.term),
        seq: Seq(wire.seq),
        head_hash: wire.head_hash,
        at: Timestamp(wire.at_ms),
    };
    Some(checkpoint.signed(Signature::from_slice(&wire.signature)?))
}
