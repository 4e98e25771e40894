//! Checkpoints: what a node swears its log contains. The bytes that are signed are spelled out here field by
//! field (no encoder between), so that any verifier, in any language, years later, can rebuild them.

use serde::{Deserialize, Serialize};

use crate::id::{NodeId, Seq, Stream, Term};
use crate::ledger::Hash;
use crate::timestamp::Timestamp;

/// "At this time, this stream of this term ended at this record, and the chain hashed to this."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointV1 {
    /// The log.
    pub stream: Stream,
    /// The term it is written under.
    pub term: Term,
    /// Its last durable record.
    pub seq: Seq,
    /// The chain's hash after that record (the genesis hash at seq 0).
    pub head_hash: Hash,
    /// When, by the node's clock.
    pub at: Timestamp,
}

impl CheckpointV1 {
    const DOMAIN: &[u8] = b"tillway checkpoint v1\0";

    /// The bytes to sign and to verify: the domain, the node (16 bytes), the stream (1), then term (4), seq (8),
    /// hash (32) and time (8), numbers big-endian. The node is part of them, so that a checkpoint cannot be
    /// shown as another node's.
    pub fn signing_input(&self, node: NodeId) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::DOMAIN.len() + 16 + 1 + 4 + 8 + 32 + 8);
        bytes.extend_from_slice(Self::DOMAIN);
        bytes.extend_from_slice(node.as_uuid().as_bytes());
        bytes.push(self.stream as u8);
        bytes.extend_from_slice(&self.term.0.to_be_bytes());
        bytes.extend_from_slice(&self.seq.0.to_be_bytes());
        bytes.extend_from_slice(&self.head_hash);
        bytes.extend_from_slice(&self.at.0.to_be_bytes());
        bytes
    }

    /// This checkpoint with its signature (Ed25519, by the device key, over [`Self::signing_input`]).
    pub const fn signed(self, signature: Signature) -> SignedCheckpoint {
        SignedCheckpoint { checkpoint: self, signature }
    }
}

/// An Ed25519 signature. Two halves on the wire: fixed length, nothing to allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature([u8; 32], [u8; 32]);

impl Signature {
    /// Takes the 64 bytes that the signer made; `None` for any other length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let (first, second) = bytes.split_at_checked(32)?;
        Some(Self(first.try_into().ok()?, second.try_into().ok()?))
    }

    /// The 64 bytes, for the verifier.
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        for (to, from) in bytes.iter_mut().zip(self.0.iter().chain(&self.1)) {
            *to = *from;
        }
        bytes
    }
}

/// A checkpoint as it travels and as HQ keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCheckpoint {
    /// What was signed.
    pub checkpoint: CheckpointV1,
    /// By the device key.
    pub signature: Signature,
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const CHECKPOINT: CheckpointV1 =
        CheckpointV1 { stream: Stream::Fiscal, term: Term(2), seq: Seq(3), head_hash: [4; 32], at: Timestamp(5) };

    #[test]
    fn the_signed_bytes_are_frozen() {
        let mut expected = b"tillway checkpoint v1\0".to_vec();
        expected.extend([0; 15]);
        expected.extend([9, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]);
        expected.extend([4; 32]);
        expected.extend([0, 0, 0, 0, 0, 0, 0, 5]);
        assert_eq!(CHECKPOINT.signing_input(NodeId::from_uuid(Uuid::from_u128(9))), expected);
    }

    #[test]
    fn every_field_is_signed() {
        let node = NodeId::from_uuid(Uuid::from_u128(9));
        let base = CHECKPOINT.signing_input(node);
        let mut others = vec![CHECKPOINT.signing_input(NodeId::from_uuid(Uuid::from_u128(10)))];
        others.push(CheckpointV1 { stream: Stream::Work, ..CHECKPOINT }.signing_input(node));
        others.push(CheckpointV1 { term: Term(3), ..CHECKPOINT }.signing_input(node));
        others.push(CheckpointV1 { seq: Seq(4), ..CHECKPOINT }.signing_input(node));
        others.push(CheckpointV1 { head_hash: [5; 32], ..CHECKPOINT }.signing_input(node));
        others.push(CheckpointV1 { at: Timestamp(6), ..CHECKPOINT }.signing_input(node));
        for (index, other) in others.iter().enumerate() {
            assert_ne!(&base, other, "field {index}");
        }
    }

    #[test]
    fn a_signed_checkpoint_has_a_fixed_tail_and_reads_back() {
        let bytes: Vec<u8> = (0..64).collect();
        let signature = Signature::from_slice(&bytes).unwrap();
        assert_eq!(signature.to_bytes().as_slice(), bytes);
        assert!(Signature::from_slice(&bytes[1..]).is_none());
        assert!(Signature::from_slice(&[0; 65]).is_none());
        let signed = CHECKPOINT.signed(signature);
        let wire = postcard::to_stdvec(&signed).unwrap();
        assert_eq!(wire[wire.len() - 64..], bytes);
        assert_eq!(postcard::from_bytes::<SignedCheckpoint>(&wire).unwrap(), signed);
    }
}
