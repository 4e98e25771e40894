//! Sets of seqs as ranges: what HQ has committed, what a node need not send. Bounded, because a cursor is a row
//! and a frame. Knows nothing of who fills it.

use serde::{Deserialize, Serialize};

use crate::id::Seq;
use crate::limits;

/// A set of positions, as ascending, disjoint, non-adjacent ranges of first and last. Positions start at 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub struct RangeSet(Vec<(u64, u64)>);

/// Why a range was not taken; the set is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// One more gap than a cursor may hold.
    #[error("the set would hold more than {limit} ranges")]
    Full {
        /// How many it may hold.
        limit: usize,
    },
    /// It starts at 0, or ends before it starts.
    #[error("{first} to {last} is no range of positions")]
    NotARange {
        /// First position.
        first: u64,
        /// Last position.
        last: u64,
    },
    /// Ranges that are not ascending and apart.
    #[error("the ranges are not ascending and apart")]
    Unordered,
}

impl RangeSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds `first..=last`, within [`limits::CURSOR_RANGES`].
    ///
    /// # Errors
    /// [`RangeError::Full`] if that opens one gap too many, [`RangeError::NotARange`] for 0 or a reversed range.
    pub fn insert(&mut self, first: Seq, last: Seq) -> Result<(), RangeError> {
        self.insert_within(first.0, last.0, limits::CURSOR_RANGES)
    }

    /// Adds `first..=last`, within a limit of the caller's.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn insert_within(&mut self, first: u64, last: u64, limit: usize) -> Result<(), RangeError> {
        if first == 0 || last < first {
            return Err(RangeError::NotARange { first, last });
        }
        // Ranges that touch or overlap the new one: all that end at `first - 1` or later and start at `last + 1` or earlier.
        let from = self.0.partition_point(|range| range.1 < first - 1);
        let to = self.0.partition_point(|range| range.0 <= last.saturating_add(1));
        if from >= to {
            if self.0.len() >= limit {
                return Err(RangeError::Full { limit });
            }
            self.0.insert(from, (first, last));
            return Ok(());
        }
        let merged = self.0.get(from..to).unwrap_or_default();
        let low = merged.first().map_or(first, |range| range.0.min(first));
        let high = merged.last().map_or(last, |range| range.1.max(last));
        self.0.splice(from..to, [(low, high)]);
        Ok(())
    }

    /// Adds every range of another set.
    ///
    /// # Errors
    /// [`RangeError::Full`]; ranges before the failing one stay added.
    pub fn extend(&mut self, other: &Self) -> Result<(), RangeError> {
        other.0.iter().try_for_each(|&(first, last)| self.insert(Seq(first), Seq(last)))
    }

    /// Whether the position is in the set.
    pub fn contains(&self, seq: Seq) -> bool {
        self.covers(seq.0, seq.0)
    }

    /// Whether all of `first..=last` is in the set.
    pub fn covers(&self, first: u64, last: u64) -> bool {
        let at = self.0.partition_point(|range| range.1 < first);
        self.0.get(at).is_some_and(|range| range.0 <= first && last <= range.1)
    }

    /// The contiguous mark: everything from 1 to here is in the set. 0 if 1 is not.
    pub fn contiguous(&self) -> Seq {
        Seq(self.0.first().filter(|range| range.0 == 1).map_or(0, |range| range.1))
    }

    /// The largest position; 0 if empty.
    pub fn max(&self) -> Seq {
        Seq(self.0.last().map_or(0, |range| range.1))
    }

    /// The first gap within `from..=to`, as far as it goes within them.
    pub fn first_gap(&self, from: u64, to: u64) -> Option<(u64, u64)> {
        let at = self.0.partition_point(|range| range.1 < from);
        let (start, next) = match self.0.get(at) {
            Some(range) if range.0 <= from => (range.1.checked_add(1)?, self.0.get(at + 1)),
            other => (from, other),
        };
        let end = next.map_or(to, |range| to.min(range.0.saturating_sub(1)));
        (start <= end).then_some((start, end))
    }

    /// How many positions are in the set; saturates.
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0_u64, |sum, range| sum.saturating_add(range.1 - range.0).saturating_add(1))
    }

    /// How many positions of `first..=last` are in the set.
    pub fn count_within(&self, first: u64, last: u64) -> u64 {
        let cut = self.0.iter().map(|range| (range.0.max(first), range.1.min(last)));
        cut.filter(|range| range.0 <= range.1).fold(0_u64, |sum, range| sum.saturating_add(range.1 - range.0 + 1))
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// How many ranges.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<(u64, u64)>> for RangeSet {
    type Error = RangeError;
    fn try_from(ranges: Vec<(u64, u64)>) -> Result<Self, RangeError> {
        if ranges.len() > limits::CURSOR_RANGES {
            return Err(RangeError::Full { limit: limits::CURSOR_RANGES });
        }
        if let Some(&(first, last)) = ranges.iter().find(|range| range.0 == 0 || range.1 < range.0) {
            return Err(RangeError::NotARange { first, last });
        }
        let apart =
            ranges.windows(2).all(|pair| matches!(pair, [a, b] if a.1.checked_add(1).is_some_and(|end| end < b.0)));
        if apart { Ok(Self(ranges)) } else { Err(RangeError::Unordered) }
    }
}

impl From<RangeSet> for Vec<(u64, u64)> {
    fn from(set: RangeSet) -> Self {
        set.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn check(set: &RangeSet, model: &BTreeSet<u64>) {
        assert_eq!(RangeSet::try_from(set.0.clone()).as_ref(), Ok(set), "ascending and apart");
        assert_eq!(set.count(), model.len() as u64);
        assert_eq!(set.max().0, model.last().copied().unwrap_or(0));
        assert_eq!(set.contiguous().0, (1..).take_while(|seq| model.contains(seq)).count() as u64);
        assert_eq!(set.count_within(20, 40), model.range(20..=40).count() as u64);
        for seq in 0..80 {
            assert_eq!(set.contains(Seq(seq)), model.contains(&seq));
            let gap = (seq.max(1)..=60).find(|at| !model.contains(at));
            let end = gap.and_then(|start| (start..=60).take_while(|at| !model.contains(at)).last());
            assert_eq!(set.first_gap(seq.max(1), 60), gap.zip(end));
        }
    }

    proptest! {
        #[test]
        fn it_is_a_set(inserts in prop::collection::vec((1_u64..70, 0_u64..8), 0..40)) {
            let (mut set, mut model) = (RangeSet::new(), BTreeSet::new());
            for (first, more) in inserts {
                set.insert(Seq(first), Seq(first + more)).unwrap();
                model.extend(first..=first + more);
                check(&set, &model);
            }
            let bytes = postcard::to_stdvec(&set).unwrap();
            prop_assert_eq!(postcard::from_bytes::<RangeSet>(&bytes).unwrap(), set);
        }
    }

    #[test]
    fn it_is_bounded_and_refuses_nonsense() {
        let mut set = RangeSet::new();
        for at in 0..limits::CURSOR_RANGES as u64 {
            set.insert(Seq(at * 3 + 1), Seq(at * 3 + 1)).unwrap();
        }
        let before = set.clone();
        assert_eq!(set.insert(Seq(900_000), Seq(900_001)), Err(RangeError::Full { limit: limits::CURSOR_RANGES }));
        assert_eq!(set, before);
        set.insert(Seq(2), Seq(3)).expect("closing a gap is always possible");
        assert_eq!(set.insert(Seq(0), Seq(4)), Err(RangeError::NotARange { first: 0, last: 4 }));
        assert_eq!(set.insert(Seq(5), Seq(4)), Err(RangeError::NotARange { first: 5, last: 4 }));
        set.insert(Seq(1), Seq(u64::MAX)).unwrap();
        assert_eq!((set.len(), set.contiguous()), (1, Seq(u64::MAX)));
        for bad in [vec![(0, 1)], vec![(5, 4)], vec![(1, 2), (3, 4)], vec![(5, 6), (1, 2)], vec![(1, u64::MAX), (3, 4)]]
        {
            assert!(RangeSet::try_from(bad).is_err());
        }
    }
}
