//! The claims that this process currently works on.

use balance_batch::chunk::{Claim, ClaimToken};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The claims that run in this process, as they were claimed.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnedClaims(Arc<Mutex<HashMap<ClaimToken, Claim>>>);

impl OwnedClaims {
    /// Adds a claim until the guard is dropped, also by a panic.
    pub(crate) fn add(&self, claim: Claim) -> OwnedClaim {
        let token = claim.token;
        self.with(|claims| claims.insert(token, claim));
        OwnedClaim {
            owned: self.clone(),
            token,
        }
    }

    pub(crate) fn claims(&self) -> Vec<Claim> {
        self.with(|claims| claims.values().cloned().collect())
    }

    fn with<T>(&self, command: impl FnOnce(&mut HashMap<ClaimToken, Claim>) -> T) -> T {
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
        self.owned.with(|claims| claims.remove(&self.token));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use balance_batch::{
        execution::{JobExecutionId, JobInstanceId, StepExecutionId},
        job::{Step, StepName},
    };

    fn claim(token: i64) -> Claim {
        Claim {
            step_execution_id: StepExecutionId(token),
            job_execution_id: JobExecutionId(1),
            job_instance_id: JobInstanceId(1),
            date: chrono::NaiveDate::MIN,
            name: StepName {
                step: Step::CloseDay,
                partition: None,
            },
            token: ClaimToken(token),
            version: 1,
            state: None,
            trace: None,
            started_at: chrono::NaiveDateTime::MIN,
        }
    }

    #[test]
    fn a_claim_is_owned_until_its_guard_is_dropped_even_by_a_panic() {
        let owned = OwnedClaims::default();
        let guard = owned.add(claim(1));
        let other = owned.clone();
        let panicked = std::thread::spawn(move || {
            let _guard = other.add(claim(2));
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(owned.claims(), [claim(1)]);
        drop(guard);
        assert!(owned.claims().is_empty());
    }
}
