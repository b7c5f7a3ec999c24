//! The pruner: deletes old job metadata and dead workers. Job metadata grow with the partitions of
//! each day and slow down queries.

use crate::context::WorkerContext;
use balance_domain::units::SECONDS_PER_DAY;
use balance_store::StoreResult;
use chrono::TimeDelta;
use std::sync::Arc;

/// Seconds without a heartbeat after which a worker is removed from the registry.
const FORGET_WORKERS_S: u32 = SECONDS_PER_DAY;
/// The most executions pruned in one run, each in its own transaction.
const MAX_PRUNED: u32 = 1_000;

/// Deletes workers that are long dead, and the step executions of jobs that finished more than
/// `retention_days` ago.
pub(crate) async fn prune(context: Arc<WorkerContext>, retention_days: u32) -> StoreResult<()> {
    let store = &context.launcher.store;
    store.remove_dead_workers(FORGET_WORKERS_S).await?;
    let now = context.launcher.clock.now();
    let ended_before = now - TimeDelta::days(i64::from(retention_days));
    let mut pruned = 0;
    while pruned < MAX_PRUNED && !context.stopping.is_cancelled() {
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
