//! Tree `finished`: what became of tickets that are no longer open, for as long as a lane may ask about them.

use protocol::id::{Seq, Term, TicketId};
use serde::{Deserialize, Serialize};

/// How a ticket ended. New variants only at the end: it is disk format (but the tree can be rebuilt).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finished {
    /// It was closed; this is its receipt.
    Closed {
        /// The record's term.
        term: Term,
        /// The record's position.
        seq: Seq,
    },
    /// It was given up.
    Voided,
}

/// Ends by ticket.
#[derive(Debug)]
pub struct Ends(sled::Tree);

impl Ends {
    pub(super) fn open(db: &sled::Db) -> sled::Result<Self> {
        db.open_tree("finished").map(Self)
    }

    pub(super) fn key(ticket: TicketId) -> [u8; 16] {
        *ticket.as_uuid().as_bytes()
    }

    /// How a ticket ended, if it did.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn get(&self, ticket: TicketId) -> sled::Result<Option<Finished>> {
        let found = self.0.get(Self::key(ticket))?;
        Ok(found.and_then(|bytes| postcard::from_bytes(&bytes).ok()))
    }

    pub(super) fn put(&self, ticket: TicketId, end: Finished) -> sled::Result<bool> {
        let bytes = postcard::to_stdvec(&end).map_err(|error| sled::Error::Unsupported(error.to_string()))?;
        self.0.insert(Self::key(ticket), bytes).map(|before| before.is_none())
    }

    pub(super) fn remove(&self, key: &[u8]) -> sled::Result<()> {
        self.0.remove(key).map(drop)
    }

    pub(super) fn clear(&self) -> sled::Result<()> {
        self.0.clear()
    }
}
