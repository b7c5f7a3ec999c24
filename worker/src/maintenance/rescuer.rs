//! The rescuer: releases the claims that this process dropped and advances stalled executions. It
//! runs once a second.

use crate::context::WorkerContext;
use balance_store::StoreResult;
use std::sync::Arc;

/// Releases dropped claims, then advances every running execution, in case a worker crashed between
/// its commit and the next advance.
pub(crate) async fn rescue(context: Arc<WorkerContext>) -> StoreResult<()> {
    let store = &context.launcher.store;
    context.dropped.release(store).await?;
    for id in store.running().await? {
        context.advance(id).await?;
    }
    Ok(())
}
