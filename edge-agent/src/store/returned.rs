//! Tree `returned`: which lines of fiscal records gave back goods of a receipt's line. One entry per giving
//! line, so that writing it twice changes nothing; the sum is taken when somebody asks.

use protocol::id::{Seq, Term};
use protocol::ticket::GivenBack;

use crate::core::lane::{ReturnedLine, Sold};
use crate::core::refusal::Refusal;

/// The line that gives goods back, by the name of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    /// The record's term.
    pub term: Term,
    /// The record's position.
    pub seq: Seq,
    /// Which of its returned lines, counted from 0.
    pub index: u16,
}

/// Given-back lines by the line they were sold on.
#[derive(Debug)]
pub struct Returned(sled::Tree);

impl Returned {
    pub(super) fn open(db: &sled::Db) -> sled::Result<Self> {
        db.open_tree("returned").map(Self)
    }

    fn prefix(sold: Sold) -> [u8; 18] {
        let mut key = [0; 18];
        let (ticket, line) = key.split_at_mut(16);
        ticket.copy_from_slice(sold.ticket.as_uuid().as_bytes());
        line.copy_from_slice(&sold.line_no.to_be_bytes());
        key
    }

    pub(super) fn put(&self, sold: Sold, by: By, line: &ReturnedLine) -> sled::Result<()> {
        let key =
            [Self::prefix(sold).as_slice(), &by.term.0.to_be_bytes(), &by.seq.0.to_be_bytes(), &by.index.to_be_bytes()]
                .concat();
        let bytes = postcard::to_stdvec(line).map_err(|error| sled::Error::Unsupported(error.to_string()))?;
        self.0.insert(key, bytes).map(drop)
    }

    /// What came back of a receipt's line, over all closed tickets.
    ///
    /// # Errors
    /// The store cannot be read, or sums are beyond the limits.
    pub fn given_back(&self, sold: Sold) -> Result<GivenBack, Refusal> {
        let broken = || Refusal::unavailable("the node's index cannot be read; restart the agent, it rebuilds it");
        let mut sum = GivenBack::default();
        for entry in self.0.scan_prefix(Self::prefix(sold)) {
            let (_, bytes) = entry.map_err(|_| broken())?;
            let line: ReturnedLine = postcard::from_bytes(&bytes).map_err(|_| broken())?;
            line.add_to(&mut sum)?;
        }
        Ok(sum)
    }

    pub(super) fn clear(&self) -> sled::Result<()> {
        self.0.clear()
    }
}
