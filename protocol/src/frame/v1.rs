//! The frozen shapes of protocol version 1. Postcard has no field names: a released struct is never changed, a new
//! one is added beside it and `golden/frames` holds the bytes of every one. Bare integers on purpose: what they
//! mean is checked by the session, and a type of the house that changes must not change the wire.

use serde::{Deserialize, Serialize};

/// Node to HQ, first of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloV1 {
    /// Protocol versions the node speaks.
    pub versions: Vec<u16>,
    /// The term it writes under.
    pub term: u32,
    /// Chosen at its start: two live connections with different ones are two boxes with one identity.
    pub boot_nonce: [u8; 16],
    /// Its clock, milliseconds since the Unix epoch.
    pub clock_ms: i64,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// Version of the agent.
    pub agent_version: String,
    /// Its logs.
    pub streams: Vec<StreamHeadV1>,
    /// Its collections.
    pub collections: Vec<HeldV1>,
}

/// Where a log stands at the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamHeadV1 {
    /// Wire number of the stream.
    pub stream: u8,
    /// The first record still there.
    pub first_kept: u64,
    /// The last record on disk; 0: none.
    pub durable: u64,
}

/// Version of a collection that one side holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldV1 {
    /// Wire number of the collection.
    pub collection: u8,
    /// Its version; 0: nothing yet.
    pub version: u64,
}

/// HQ to node, answer to the hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WelcomeV1 {
    /// The protocol version from here on.
    pub version: u16,
    /// HQ's clock, milliseconds since the Unix epoch.
    pub hq_time_ms: i64,
    /// HQ's signature over the time and the boot nonce; empty while HQ does not sign its time.
    #[serde(with = "bytes")]
    pub time_signature: Vec<u8>,
    /// Backlog events per second; 0: no limit.
    pub drain_per_second: u32,
    /// What HQ has committed.
    pub cursors: Vec<CursorV1>,
    /// Versions at HQ.
    pub collections: Vec<HeldV1>,
}

/// What HQ has of one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorV1 {
    /// Wire number of the stream.
    pub stream: u8,
    /// Committed ranges, first and last, ascending, apart.
    pub ranges: Vec<(u64, u64)>,
}

/// Either way, last of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseV1 {
    /// Why, for a machine.
    pub code: u16,
    /// Why, for a person.
    pub reason: String,
    /// When to come back at the earliest; 0: by the ordinary back-off.
    pub retry_after_ms: u32,
}

/// Node to HQ: are you there?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingV1 {
    /// Comes back in the pong.
    pub nonce: u64,
}

/// HQ to node: yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PongV1 {
    /// From the ping.
    pub nonce: u64,
}

/// HQ to node: how fast the backlog may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceV1 {
    /// Backlog events per second; 0: no limit.
    pub drain_per_second: u32,
}

/// Node to HQ: events of one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchV1 {
    /// Wire number of the stream.
    pub stream: u8,
    /// Seq of the first record.
    pub first: u64,
    /// Seq of the last record.
    pub last: u64,
    /// Chain hash before the first record, when the node has it at hand.
    pub prev: Option<[u8; 32]>,
    /// How many records.
    pub count: u32,
    /// Bytes of the records before packing.
    pub plain_bytes: u32,
    /// 0: `packed` is the records; 1: their zstd frame.
    pub packing: u8,
    /// Postcard of `Vec<RecordV1>`, packed.
    #[serde(with = "bytes")]
    pub packed: Vec<u8>,
}

/// One record inside a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordV1 {
    /// Seqs left out between the record before (or the batch's `first`) and this one; nearly always 0.
    pub skipped: u64,
    /// Event kind.
    pub kind: u16,
    /// Version of the event's struct.
    pub version: u8,
    /// The event.
    #[serde(with = "bytes")]
    pub body: Vec<u8>,
}

/// HQ to node: these events are committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckV1 {
    /// Wire number of the stream.
    pub stream: u8,
    /// Committed ranges, first and last.
    pub ranges: Vec<(u64, u64)>,
    /// Everything from 1 to here is committed.
    pub contiguous: u64,
    /// Whether the commit is on HQ's disk. Only then may the node forget.
    pub durable: bool,
}

/// HQ to node: these events were not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NackV1 {
    /// Wire number of the stream.
    pub stream: u8,
    /// First seq of the batch.
    pub first: u64,
    /// Last seq of the batch.
    pub last: u64,
    /// When to send them again at the earliest.
    pub retry_after_ms: u32,
}

/// Node to HQ: the head of a log, signed by the device key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointV1 {
    /// Wire number of the stream.
    pub stream: u8,
    /// The term.
    pub term: u32,
    /// The last record.
    pub seq: u64,
    /// Chain hash after it.
    pub head_hash: [u8; 32],
    /// When it was signed, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Ed25519 over the canonical bytes.
    #[serde(with = "bytes")]
    pub signature: Vec<u8>,
}

/// HQ to node: a newer version of a collection is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferV1 {
    /// Wire number of the collection.
    pub collection: u8,
    /// The version it starts from; 0: a snapshot.
    pub from: u64,
    /// The version it leads to.
    pub to: u64,
    /// Bytes of the delivery once unpacked.
    pub plain_bytes: u32,
    /// Bytes of the delivery as it travels (a zstd frame).
    pub wire_bytes: u32,
    /// BLAKE3 of the delivery as it travels; also its name.
    pub hash: [u8; 32],
}

/// Node to HQ: send me this part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchV1 {
    /// Wire number of the collection.
    pub collection: u8,
    /// Name of the delivery.
    pub hash: [u8; 32],
    /// Where to start.
    pub offset: u32,
    /// How much to send at most.
    pub length: u32,
}

/// HQ to node: a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferV1 {
    /// Wire number of the collection.
    pub collection: u8,
    /// Name of the delivery.
    pub hash: [u8; 32],
    /// Where the chunk starts.
    pub offset: u32,
    /// The bytes.
    #[serde(with = "bytes")]
    pub chunk: Vec<u8>,
}

/// Node to HQ: where a collection stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedV1 {
    /// Wire number of the collection.
    pub collection: u8,
    /// The version the node holds.
    pub version: u64,
    /// The node could not take a delta and wants the whole.
    pub wants_snapshot: bool,
}

/// Byte strings as one piece: the same bytes on the wire as a list of `u8`, a hundred times faster.
mod bytes {
    use std::fmt;

    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a byte string")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Whole)
    }
}
