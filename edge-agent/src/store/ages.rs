//! Tree `ages`: which entries of the other trees were made when, so that the oldest can be dropped without a
//! walk over all of them.

use protocol::timestamp::Timestamp;

/// The tree an aged entry stands in. Disk format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// `answers`.
    Answer = 1,
    /// `finished`.
    End = 2,
}

/// An entry and its age.
pub(super) struct Aged {
    pub(super) at: Timestamp,
    pub(super) of: Of,
    pub(super) key: Vec<u8>,
    own: sled::IVec,
}

#[derive(Debug)]
pub(super) struct Ages(sled::Tree);

impl Ages {
    pub(super) fn open(db: &sled::Db) -> sled::Result<Self> {
        db.open_tree("ages").map(Self)
    }

    pub(super) fn put(&self, at: Timestamp, of: Of, key: &[u8]) -> sled::Result<()> {
        // Times before 1970 sort first; nothing here is that old.
        let at = u64::try_from(at.0).unwrap_or(0);
        let own = [at.to_be_bytes().as_slice(), &[of as u8], key].concat();
        self.0.insert(own, &[]).map(drop)
    }

    /// The oldest entries first.
    pub(super) fn oldest(&self) -> impl Iterator<Item = sled::Result<Aged>> {
        self.0.iter().keys().filter_map(|own| {
            let own = match own {
                Ok(own) => own,
                Err(error) => return Some(Err(error)),
            };
            let (at, rest) = own.split_first_chunk::<8>()?;
            let (of, key) = rest.split_first()?;
            let of = if *of == Of::Answer as u8 { Of::Answer } else { Of::End };
            let at = Timestamp(i64::try_from(u64::from_be_bytes(*at)).unwrap_or(i64::MAX));
            let key = key.to_vec();
            Some(Ok(Aged { at, of, key, own }))
        })
    }

    pub(super) fn remove(&self, aged: &Aged) -> sled::Result<()> {
        self.0.remove(&aged.own).map(drop)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&self) -> sled::Result<()> {
        self.0.clear()
    }
}
