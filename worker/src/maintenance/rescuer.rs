//! The rescuer: releases the claims that this process dropped, advances stalled executions and closes
//! those that another program ended. It runs once a second.

use crate::context::WorkerContext;
use balance_store::StoreResult;
use std::sync::Arc;

/// Releases dropped claims, then advances every running execution of Balance, in case a worker crashed between
/// its commit and the next advance. Then closes the executions that another program ended.
pub(crate) async fn rescue(context: Arc<WorkerContext>) -> StoreResult<()> {
    let store = &context.launcher.store;
    context.dropped.release(store).await?;
    let mut executions = store.running().await?;
    executions.extend(store.unclosed().await?);
    for id in executions {
        context.advance(id).await?;
    }
    Ok(())
}
