//! The dispatcher: once a second it takes every running execution further and rings for what can
//! be claimed, so that a lost ring, a dead worker or an emptied queue costs a second at most.

use crate::crew::Crew;
use balance_core::port::error::StoreResult;
use std::{sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;

const INTERVAL: Duration = Duration::from_secs(1);

/// Runs until the worker is asked to end.
pub(crate) async fn run(crew: Arc<Crew>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = crew.ending.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = dispatch(&crew).await {
            tracing::warn!(%error, "dispatch failed");
        }
    }
}

async fn dispatch(crew: &Arc<Crew>) -> StoreResult<()> {
    crew.give_back_dropped().await?;
    let launcher = &crew.launcher;
    for id in launcher.store.running().await? {
        launcher.advance(id).await?;
    }
    let free = crew.free();
    if free > 0 {
        for id in launcher.store.claimable(free).await? {
            crew.ring(id);
        }
    }
    Ok(())
}
