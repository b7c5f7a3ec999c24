//! Partitions: ranges of video ids, planned to hold near-equal work.

use crate::spring::context::ExecutionContext;

/// The most partitions of one step.
pub const MAX_PARTITIONS: u32 = 10_000;

const AFTER_KEY: &str = "afterVideoId";
const UPTO_KEY: &str = "uptoVideoId";
const CURSOR_KEY: &str = "cursorVideoId";

/// A range of video ids: (`after`, `upto`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdRange {
    /// The id before the first one.
    pub after: i64,
    /// The last id.
    pub upto: i64,
}

impl IdRange {
    /// Every id there can be.
    pub const ALL: Self = Self {
        after: i64::MIN,
        upto: i64::MAX,
    };
}

/// Where a partition stands: its range, and the last id that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionState {
    /// The ids of the partition.
    pub range: IdRange,
    /// The last id whose output is committed; `range.after` at first.
    pub cursor: i64,
}

/// Why a partition's context cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartitionStateError {
    /// A key is missing, or holds no number.
    #[error("the partition's context holds no number '{0}'")]
    Missing(&'static str),
    /// The cursor lies outside the range.
    #[error("the partition's cursor {cursor} lies outside ({after}, {upto}]")]
    OutOfRange {
        /// The cursor.
        cursor: i64,
        /// The range's lower end.
        after: i64,
        /// The range's upper end.
        upto: i64,
    },
}

impl PartitionState {
    /// A partition at its beginning.
    #[must_use]
    pub const fn new(range: IdRange) -> Self {
        Self {
            range,
            cursor: range.after,
        }
    }

    /// Whether every id is done.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.cursor == self.range.upto
    }

    /// As a step execution's context.
    #[must_use]
    pub fn to_context(&self) -> ExecutionContext {
        let mut context = ExecutionContext::new();
        context.put_long(AFTER_KEY, self.range.after);
        context.put_long(UPTO_KEY, self.range.upto);
        context.put_long(CURSOR_KEY, self.cursor);
        context
    }

    /// From a step execution's context.
    ///
    /// # Errors
    /// Where a number is missing or contradicts the others.
    pub fn from_context(context: &ExecutionContext) -> Result<Self, PartitionStateError> {
        let long = |key| context.long(key).ok_or(PartitionStateError::Missing(key));
        let (after, upto, cursor) = (long(AFTER_KEY)?, long(UPTO_KEY)?, long(CURSOR_KEY)?);
        if after > upto || !(after..=upto).contains(&cursor) {
            return Err(PartitionStateError::OutOfRange {
                cursor,
                after,
                upto,
            });
        }
        Ok(Self {
            range: IdRange { after, upto },
            cursor,
        })
    }
}

/// How much work an id is, in any unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    /// The video's id.
    pub id: i64,
    /// Its work, 1 and up.
    pub work: u64,
}

/// Splits all ids into at most `count` ranges whose heaviest is as light as can be. `weights` are
/// sorted by id, each id once. The ranges touch and cover every id there can be, so that an id
/// that the weights do not know (a sample was taken) is still in exactly one. No weights, no
/// ranges.
#[must_use]
pub fn split(weights: &[Weight], count: u32) -> Vec<IdRange> {
    let count = usize::try_from(count.clamp(1, MAX_PARTITIONS)).unwrap_or(1);
    let heaviest = weights.iter().map(|weight| weight.work).max().unwrap_or(0);
    let total: u64 = weights.iter().map(|weight| weight.work).sum();
    // The smallest capacity that needs no more than `count` ranges, by bisection.
    let (mut low, mut high) = (heaviest, total);
    while low < high {
        let middle = low + (high - low) / 2;
        if cuts(weights, middle).len() < count {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if weights.is_empty() {
        return Vec::new();
    }
    let mut ranges = Vec::with_capacity(count);
    let mut after = IdRange::ALL.after;
    for upto in cuts(weights, low) {
        ranges.push(IdRange { after, upto });
        after = upto;
    }
    ranges.push(IdRange {
        after,
        upto: IdRange::ALL.upto,
    });
    ranges
}

/// The last ids of all ranges but the last, each filled up to `capacity`.
fn cuts(weights: &[Weight], capacity: u64) -> Vec<i64> {
    let mut cuts = Vec::new();
    let mut owned = 0_u64;
    for pair in weights.windows(2) {
        owned += pair[0].work;
        if owned + pair[1].work > capacity {
            cuts.push(pair[0].id);
            owned = 0;
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn weights(work: &[u64]) -> Vec<Weight> {
        (1..)
            .zip(work)
            .map(|(id, work)| Weight { id, work: *work })
            .collect()
    }

    fn loads(weights: &[Weight], ranges: &[IdRange]) -> Vec<u64> {
        let load = |range: &IdRange| {
            weights
                .iter()
                .filter(|weight| range.after < weight.id && weight.id <= range.upto)
                .map(|weight| weight.work)
                .sum()
        };
        ranges.iter().map(load).collect()
    }

    #[test]
    fn a_heavy_video_stands_alone() {
        let weights = weights(&[10, 10, 100, 10, 10]);
        assert_eq!(loads(&weights, &split(&weights, 3)), [20, 100, 20]);
    }

    #[test]
    fn nothing_to_do_is_no_partition() {
        assert_eq!(split(&[], 8), []);
    }

    #[test]
    fn a_state_round_trips_through_its_context() {
        let mut state = PartitionState::new(IdRange::ALL);
        state.cursor = 77;
        assert_eq!(PartitionState::from_context(&state.to_context()), Ok(state));
        assert_eq!(
            PartitionState::from_context(&ExecutionContext::new()),
            Err(PartitionStateError::Missing(AFTER_KEY))
        );
        state.range = IdRange { after: 1, upto: 5 };
        assert!(PartitionState::from_context(&state.to_context()).is_err());
    }

    proptest! {
        #[test]
        fn ranges_cover_all_ids_and_are_balanced(
            work in prop::collection::vec(1_u64..1_000, 1..200),
            count in 1_u32..70,
        ) {
            let weights = weights(&work);
            let ranges = split(&weights, count);
            prop_assert!(!ranges.is_empty() && ranges.len() <= count as usize);
            prop_assert_eq!(ranges[0].after, i64::MIN);
            prop_assert_eq!(ranges[ranges.len() - 1].upto, i64::MAX);
            prop_assert!(ranges.windows(2).all(|pair| pair[0].upto == pair[1].after));
            let total: u64 = work.iter().sum();
            let heaviest = *work.iter().max().unwrap();
            let largest = *loads(&weights, &ranges).iter().max().unwrap();
            prop_assert!(largest <= total.div_ceil(u64::from(count)) + heaviest);
        }
    }
}
