//! Tree `cursors`: how far the other trees have followed each log. What lies behind a cursor is in the trees;
//! what lies before it may or may not be, and writing it again changes nothing.

use protocol::id::{Seq, Stream, Term};

/// How far each log was followed.
#[derive(Debug)]
pub struct Cursors(sled::Tree);

impl Cursors {
    pub(super) fn open(db: &sled::Db) -> sled::Result<Self> {
        db.open_tree("cursors").map(Self)
    }

    /// The position up to which (fiscal) or from which (work) the log of a term was followed.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn get(&self, stream: Stream, term: Term) -> sled::Result<Option<Seq>> {
        let found = self.0.get(Self::key(stream, term))?;
        Ok(found.and_then(|bytes| bytes.as_ref().try_into().ok().map(|bytes| Seq(u64::from_be_bytes(bytes)))))
    }

    /// Moves a cursor.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn set(&self, stream: Stream, term: Term, seq: Seq) -> sled::Result<()> {
        self.0.insert(Self::key(stream, term), &seq.0.to_be_bytes()).map(drop)
    }

    fn key(stream: Stream, term: Term) -> [u8; 5] {
        let [a, b, c, d] = term.0.to_be_bytes();
        [stream as u8, a, b, c, d]
    }

    pub(super) fn clear(&self) -> sled::Result<()> {
        self.0.clear()
    }
}
