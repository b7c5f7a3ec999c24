//! Claims that were dropped because the database failed.

use balance_batch::chunk::Claim;
use balance_store::{
    Store, StoreError, StoreResult,
    claims::{ClaimError, Reloaded},
};
use futures_util::future::join_all;
use std::sync::{Mutex, PoisonError};

/// The most dropped claims that are remembered. The leases of further ones expire.
const MAX_DROPPED: usize = 1_000;

/// The most claims that are released at a time.
const CONCURRENT: usize = 64;

/// Dropped claims of a process that is alive. Their release keeps them from being counted as crashes.
#[derive(Default)]
pub(crate) struct DroppedClaims(Mutex<Vec<Claim>>);

impl DroppedClaims {
    /// Remembers a claim, which is released as soon as the database accepts writes again.
    pub(crate) fn add(&self, claim: Claim) {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if claims.len() < MAX_DROPPED {
            claims.push(claim);
        }
    }

    /// Releases the remembered claims. For a claim that another worker has taken over, records that
    /// its expiry was not a crash. If the database fails, the claims that remain stay remembered.
    pub(crate) async fn release(&self, store: &Store) -> StoreResult<()> {
        let claims = {
            let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *claims)
        };
        let mut result = Ok(());
        // Several at once: a row that a statement of a given up chunk still locks delays no other row.
        for group in claims.chunks(CONCURRENT) {
            let releases: Vec<_> = group.iter().map(|claim| release(store, claim)).collect();
            for (claim, released) in group.iter().zip(join_all(releases).await) {
                if let Err(error) = released {
                    self.add(claim.clone());
                    result = Err(error);
                }
            }
        }
        result
    }
}

async fn release(store: &Store, claim: &Claim) -> StoreResult<()> {
    match store.reload(claim).await {
        Ok(Reloaded::Owned(claim)) => match store.release(&claim, 0).await {
            Ok(()) | Err(ClaimError::Fenced) => Ok(()),
            Err(ClaimError::Store(error)) => Err(error),
        },
        // The next claim of an unreadable row fails it.
        Ok(Reloaded::Lost) | Err(StoreError::Damaged(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
