//! The heartbeat: keeps exactly the leases whose tasks run now, and the worker in the registry.

use crate::claims::pool::ClaimPool;
use balance_batch::chunk::ClaimToken;
use balance_store::StoreResult;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior};

/// The tokens of the claims at work in this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnedClaims(Arc<Mutex<HashSet<ClaimToken>>>);

impl OwnedClaims {
    /// Holds a claim until the guard is dropped, a panic included.
    pub(crate) fn hold(&self, token: ClaimToken) -> OwnedClaim {
        self.with(|tokens| tokens.insert(token));
        OwnedClaim {
            owned: self.clone(),
            token,
        }
    }

    fn tokens(&self) -> Vec<ClaimToken> {
        self.with(|tokens| tokens.iter().copied().collect())
    }

    fn with<T>(&self, command: impl FnOnce(&mut HashSet<ClaimToken>) -> T) -> T {
        command(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Keeps a claim's lease alive as long as it lives.
#[derive(Debug)]
pub(crate) struct OwnedClaim {
    owned: OwnedClaims,
    token: ClaimToken,
}

impl Drop for OwnedClaim {
    fn drop(&mut self) {
        self.owned.with(|tokens| tokens.remove(&self.token));
    }
}

/// Beats every third of a lease's length, until the worker's tasks have ended: a chunk that
/// finishes during a shutdown still needs its lease.
pub(crate) async fn run(pool: Arc<ClaimPool>) {
    let lease_s = u64::from(pool.settings.lease_s);
    let period = Duration::from_millis(lease_s * 1_000 / 3);
    let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let worker = &pool.settings.identity.name;
        match tokio::time::timeout(Duration::from_secs(lease_s), beat(&pool)).await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => tracing::warn!(worker, %error, "heartbeat failed"),
            Err(_) => tracing::warn!(worker, "heartbeat timed out"),
        }
        pool.counters.heartbeat_failures.add(1);
    }
}

/// Renews the held leases, and tells the registry that this worker lives.
pub(crate) async fn beat(pool: &ClaimPool) -> StoreResult<()> {
    let store = &pool.launcher.store;
    let lease_s = pool.settings.lease_s;
    let tokens = pool.owned.tokens();
    if !tokens.is_empty() {
        store.renew(&tokens, lease_s).await?;
    }
    store.see_worker(&pool.settings.identity, lease_s).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_held_until_its_guard_goes_even_by_panic() {
        let owned = OwnedClaims::default();
        let guard = owned.hold(ClaimToken(1));
        let other = owned.clone();
        let panicked = std::thread::spawn(move || {
            let _guard = other.hold(ClaimToken(2));
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(owned.tokens(), [ClaimToken(1)]);
        drop(guard);
        assert!(owned.tokens().is_empty());
    }
}
