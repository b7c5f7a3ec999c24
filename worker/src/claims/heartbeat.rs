//! The heartbeat: renews the leases of running claims and the worker's entry in the registry.

use crate::context::WorkerContext;
use balance_service::supervision::supervise;
use balance_store::StoreResult;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Runs the heartbeat until it is aborted, and starts it again if it panics, also during a shutdown.
pub(crate) async fn supervised(context: Arc<WorkerContext>) {
    let panicked = || context.metrics.task_panics.add(1);
    let never = CancellationToken::new();
    supervise("heartbeat", &never, || run(&context), panicked).await;
}

/// Beats every third of a lease's length until it is aborted. It outlasts the claim loops, because
/// a chunk that finishes during a shutdown needs its lease.
async fn run(context: &WorkerContext) {
    let lease_s = u64::from(context.settings.lease_s);
    let period = Duration::from_millis(lease_s * 1_000 / 3);
    let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let worker = context.name();
        match tokio::time::timeout(Duration::from_secs(lease_s), beat(context)).await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => tracing::warn!(worker, %error, "heartbeat failed"),
            Err(_) => tracing::warn!(worker, "heartbeat timed out"),
        }
        context.metrics.heartbeat_failures.add(1);
    }
}

/// Renews the leases of the owned claims and updates the worker's entry in the registry.
pub(crate) async fn beat(context: &WorkerContext) -> StoreResult<()> {
    let store = &context.launcher.store;
    let lease_s = context.settings.lease_s;
    let claims = context.owned.claims();
    if !claims.is_empty() {
        store.renew(&claims, lease_s).await?;
    }
    store
        .record_heartbeat(&context.settings.identity, lease_s)
        .await
}
