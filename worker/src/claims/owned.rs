//! The claims that this process currently works on.

use balance_batch::chunk::ClaimToken;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The tokens of the claims that run in this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnedClaims(Arc<Mutex<HashSet<ClaimToken>>>);

impl OwnedClaims {
    /// Adds a claim until the guard is dropped, also by a panic.
    pub(crate) fn add(&self, token: ClaimToken) -> OwnedClaim {
        self.with(|tokens| tokens.insert(token));
        OwnedClaim {
            owned: self.clone(),
            token,
        }
    }

    pub(crate) fn tokens(&self) -> Vec<ClaimToken> {
        self.with(|tokens| tokens.iter().copied().collect())
    }

    fn with<T>(&self, command: impl FnOnce(&mut HashSet<ClaimToken>) -> T) -> T {
        command(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A guard: the heartbeat renews the claim's lease until the guard is dropped.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_owned_until_its_guard_is_dropped_even_by_a_panic() {
        let owned = OwnedClaims::default();
        let guard = owned.add(ClaimToken(1));
        let other = owned.clone();
        let panicked = std::thread::spawn(move || {
            let _guard = other.add(ClaimToken(2));
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(owned.tokens(), [ClaimToken(1)]);
        drop(guard);
        assert!(owned.tokens().is_empty());
    }
}
