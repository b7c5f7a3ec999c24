//! The pruner: deletes what nobody needs any more. Job metadata grows by the partitions of each
//! day, and look-ups in it slow down with it.

use crate::claims::pool::ClaimPool;
use balance_store::StoreResult;
use chrono::TimeDelta;
use std::sync::Arc;

/// A worker that has been silent for so many seconds is no longer shown.
const FORGET_WORKERS_S: u32 = 24 * 3_600;
/// Executions pruned in one run, each in a transaction of its own.
const AT_MOST: u32 = 1_000;

/// Deletes the step executions of finished jobs that are older than so many days, and workers that
/// are long dead.
pub(crate) async fn prune(pool: Arc<ClaimPool>, retention_days: u32) -> StoreResult<()> {
    let store = &pool.launcher.store;
    store.forget_dead_workers(FORGET_WORKERS_S).await?;
    let now = pool.launcher.clock.now();
    let ended_before = now - TimeDelta::days(i64::from(retention_days));
    let mut pruned = 0;
    while pruned < AT_MOST && !pool.ending.is_cancelled() {
        if !store.prune_oldest(ended_before).await? {
            break;
        }
        pruned += 1;
    }
    if pruned > 0 {
        tracing::info!(executions = pruned, "step executions pruned");
    }
    Ok(())
}
