//! Tree `answers`: what was answered under a lane's idempotency key. A close or write-off points to its
//! fiscal record, from which the answer is rendered again; any other answer is kept byte for byte.

use protocol::id::{LaneId, Seq, Term, TicketId};
use serde::{Deserialize, Serialize};

/// The answer under a key. New variants only at the end: it is disk format (but the tree can be rebuilt).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// Render it from the fiscal record of this name; the record holds the request's hash.
    Fiscal {
        /// The record's term.
        term: Term,
        /// The record's position.
        seq: Seq,
    },
    /// These bytes.
    Reply {
        /// BLAKE3 of the request.
        request_hash: [u8; 32],
        /// HTTP status.
        status: u16,
        /// JSON.
        body: Vec<u8>,
    },
    /// Too large to keep: it was carried out, show the ticket as it stands.
    Shown {
        /// BLAKE3 of the request.
        request_hash: [u8; 32],
        /// The ticket.
        ticket: TicketId,
    },
}

/// Answers by (lane, key).
#[derive(Debug)]
pub struct Answers(sled::Tree);

impl Answers {
    pub(super) fn open(db: &sled::Db) -> sled::Result<Self> {
        db.open_tree("answers").map(Self)
    }

    /// The bytes that a key has in the tree.
    pub(super) fn key(lane: LaneId, key: &str) -> Vec<u8> {
        [lane.as_uuid().as_bytes().as_slice(), key.as_bytes()].concat()
    }

    /// What was answered.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn get(&self, lane: LaneId, key: &str) -> sled::Result<Option<Kept>> {
        let found = self.0.get(Self::key(lane, key))?;
        Ok(found.and_then(|bytes| postcard::from_bytes(&bytes).ok()))
    }

    pub(super) fn put(&self, key: &[u8], kept: &Kept) -> sled::Result<bool> {
        let bytes = postcard::to_stdvec(kept).map_err(|error| sled::Error::Unsupported(error.to_string()))?;
        self.0.insert(key, bytes).map(|before| before.is_none())
    }

    pub(super) fn remove(&self, key: &[u8]) -> sled::Result<()> {
        self.0.remove(key).map(drop)
    }

    pub(super) fn clear(&self) -> sled::Result<()> {
        self.0.clear()
    }
}
