//! Partitions: ranges of video ids with nearly equal work.

use crate::spring::context::ExecutionContext;

/// Maximum number of partitions of one step.
pub const MAX_PARTITIONS: u32 = 10_000;

const AFTER_KEY: &str = "afterVideoId";
const UPTO_KEY: &str = "uptoVideoId";
const CURSOR_KEY: &str = "cursorVideoId";

/// A range of video ids: (`after`, `upto`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdRange {
    /// The lower bound, exclusive.
    pub after: i64,
    /// The upper bound, inclusive.
    pub upto: i64,
}

impl IdRange {
    /// The range of all ids.
    pub const ALL: Self = Self {
        after: i64::MIN,
        upto: i64::MAX,
    };
}

/// The state of a partition: its range and its progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionState {
    pub range: IdRange,
    /// The last id whose output is committed; initially `range.after`.
    pub cursor: i64,
}

/// The reason why a partition's execution context is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartitionStateError {
    /// A key is missing or its value is not a number.
    #[error("the partition's context has no number '{0}'")]
    Missing(&'static str),
    /// The cursor lies outside the range.
    #[error("the partition's cursor {cursor} lies outside ({after}, {upto}]")]
    OutOfRange { cursor: i64, after: i64, upto: i64 },
}

impl PartitionState {
    /// Returns the initial state of a partition.
    #[must_use]
    pub const fn new(range: IdRange) -> Self {
        Self {
            range,
            cursor: range.after,
        }
    }

    /// Returns whether every id is processed.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.cursor == self.range.upto
    }

    /// Converts the state to the context of a step execution.
    #[must_use]
    pub fn to_context(&self) -> ExecutionContext {
        let mut context = ExecutionContext::new();
        context.put_long(AFTER_KEY, self.range.after);
        context.put_long(UPTO_KEY, self.range.upto);
        context.put_long(CURSOR_KEY, self.cursor);
        context
    }

    /// Reads the state from the context of a step execution.
    ///
    /// # Errors
    /// Returns an error if a number is missing or the cursor lies outside the range.
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

/// The amount of work of one video, in any unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    /// The video's id.
    pub id: i64,
    /// The work, 1 and up.
    pub work: u64,
}

/// Splits all ids into at most `count` ranges, so that the work of the largest range is minimal.
///
/// `weights` must be sorted by id and contain each id once. The ranges are adjacent and cover all
/// ids, because the weights can be a sample. Without weights the result is empty.
#[must_use]
pub fn split(weights: &[Weight], count: u32) -> Vec<IdRange> {
    let count = usize::try_from(count.clamp(1, MAX_PARTITIONS)).unwrap_or(1);
    let heaviest = weights.iter().map(|weight| weight.work).max().unwrap_or(0);
    let total: u64 = weights.iter().map(|weight| weight.work).sum();
    // Finds the smallest capacity that needs at most `count` ranges, by bisection.
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

/// Fills ranges up to `capacity` and returns the last id of every range but the final one.
fn cuts(weights: &[Weight], capacity: u64) -> Vec<i64> {
    let mut cuts = Vec::new();
    let mut work = 0_u64;
    for pair in weights.windows(2) {
        work += pair[0].work;
        if work + pair[1].work > capacity {
            cuts.push(pair[0].id);
            work = 0;
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
    fn a_heavy_video_gets_its_own_range() {
        let weights = weights(&[10, 10, 100, 10, 10]);
        assert_eq!(loads(&weights, &split(&weights, 3)), [20, 100, 20]);
    }

    #[test]
    fn without_work_there_is_no_partition() {
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
