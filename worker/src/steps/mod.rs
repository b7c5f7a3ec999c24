//! The steps: how each one reads and processes a chunk.

mod chunk;
pub(crate) mod close_day;
mod day_revenue;
mod day_statistics;
mod period_rollup;

pub(crate) use chunk::Chunk;

use balance_batch::{chunk::Claim, job::Step, partition::IdRange};
use balance_store::{Store, StoreError, StoreResult};

/// Reads and processes at most `limit` videos of a range. Needs no transaction, because the data of
/// a closed day do not change.
///
/// # Errors
/// If the store fails, or the step has no chunks.
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
