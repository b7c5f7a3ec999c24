//! The dispatcher: polls for claimable work once a second. A lost notification, a dead worker or an
//! emptied queue therefore costs at most one second.

use crate::claims::pool::ClaimPool;
use balance_store::StoreResult;
use std::sync::Arc;

/// Claimable rows read beyond the free permits of this process, to notify other workers of.
const OTHERS: u32 = 256;

/// Starts claim loops up to the free permits of this process and notifies other workers of the
/// remaining rows. The window of the queue limits the notifications, so that the queue stays short
/// and its loss costs little.
pub(crate) async fn dispatch(pool: Arc<ClaimPool>) -> StoreResult<()> {
    let free = pool.free();
    let launcher = &pool.context.launcher;
    let claimable = launcher.store.claimable(free + OTHERS).await?;
    let own = usize::try_from(free)
        .unwrap_or(usize::MAX)
        .min(claimable.len());
    let (own, others) = claimable.split_at(own);
    for id in own {
        pool.notify(*id);
    }
    launcher.notify(others).await;
    Ok(())
}
