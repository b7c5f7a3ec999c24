//! What each step does with a chunk: reads items, processes them, makes rows.

mod day_revenue;

mod day_statistics;

mod period_rollup;

pub(crate) mod close_day;

use balance_batch::{
    chunk::{ChunkCommit, Claim, RejectedItem},
    job::Step,
    partition::IdRange,
    step::Counters,
};
use balance_domain::settlement::SettleError;
use balance_store::{Store, StoreError, StoreResult, claims::ChunkOutput};

/// A chunk that is ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) commit: ChunkCommit,
    pub(crate) output: ChunkOutput,
}

/// Reads and processes at most `limit` videos of a range, without a transaction: a closed day
/// cannot change.
pub(crate) async fn prepare(
    store: &Store,
    claim: &Claim,
    range: IdRange,
    limit: u32,
) -> StoreResult<Chunk> {
    match claim.name.step {
        Step::DayStatistics => day_statistics::prepare(store, claim, range, limit).await,
        Step::DayRevenue => day_revenue::prepare(store, claim, range, limit).await,
        Step::PeriodRollup => period_rollup::prepare(store, claim, range, limit).await,
        Step::CloseDay => Err(StoreError::Damaged("closeDayStep has no chunks".to_owned())),
    }
}

/// What processing one item came to.
enum Processed<T> {
    Write(T),
    Filter,
    Reject(i64, SettleError),
}

/// Sorts the processed items of a page into rows, counters and rejected items.
fn collect<T>(upto: i64, items: impl IntoIterator<Item = Processed<T>>) -> (Vec<T>, ChunkCommit) {
    let mut rows = Vec::new();
    let mut counters = Counters::default();
    let mut rejected = Vec::new();
    for item in items {
        counters.reads += 1;
        match item {
            Processed::Write(row) => {
                counters.writes += 1;
                rows.push(row);
            }
            Processed::Filter => counters.filters += 1,
            Processed::Reject(video_id, poison) => {
                counters.process_skips += 1;
                rejected.push(RejectedItem {
                    video_id,
                    reason: poison.to_string(),
                });
            }
        }
    }
    let commit = ChunkCommit {
        cursor: upto,
        counters,
        rejected,
    };
    (rows, commit)
}
