//! The bytes of a log record: CRC against damage, a hash chain against tampering. Pure: bytes in, bytes out;
//! which file they stand in is the edge's business, which row HQ's.

use serde::{Deserialize, Serialize};

use crate::event::RawEvent;
use crate::id::Seq;

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
