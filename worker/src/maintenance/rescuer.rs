//! The rescuer: heals what dead or cut-off processes left. Once a second it gives back what an
//! outage of the database made this process drop, and takes every running execution further, in
//! case whoever should have died between its commit and that.

use crate::claims::pool::ClaimPool;
use balance_store::StoreResult;
use std::sync::Arc;

pub(crate) async fn rescue(pool: Arc<ClaimPool>) -> StoreResult<()> {
    pool.release_dropped().await?;
    let launcher = &pool.launcher;
    for id in launcher.store.running().await? {
        pool.advance(id).await?;
    }
    Ok(())
}
