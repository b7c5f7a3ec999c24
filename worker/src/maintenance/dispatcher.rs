//! The dispatcher: once a second it rings for what can be claimed, so that a lost ring, a dead
//! worker or an emptied queue costs a second at most.

use crate::claims::pool::ClaimPool;
use balance_store::StoreResult;
use std::sync::Arc;

/// Rows looked up beyond what this process can take itself, to ring the others for.
const OTHERS: u32 = 256;

/// Takes what this process has permits for, and rings the fleet for the rest: as far as the
/// queue's window has room, so that the queue holds little and can be lost.
pub(crate) async fn dispatch(pool: Arc<ClaimPool>) -> StoreResult<()> {
    let free = pool.free();
    let claimable = pool.launcher.store.claimable(free + OTHERS).await?;
    let own = usize::try_from(free)
        .unwrap_or(usize::MAX)
        .min(claimable.len());
    let (own, others) = claimable.split_at(own);
    for id in own {
        pool.notify(*id);
    }
    pool.launcher.notify(others).await;
    Ok(())
}
