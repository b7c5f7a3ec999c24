//! A trigger that records takeovers: claims that went to another worker without a release.

use crate::{env::TestEnv, worker::OwnedClaim};
use balance_test_support::process::until;

/// Creates the trigger.
pub(crate) fn record(env: &TestEnv) {
    env.database.execute(
        "CREATE TABLE test_takeover (step_execution_id BIGINT NOT NULL, \
         old_token BIGINT NOT NULL, old_worker VARCHAR(255) NOT NULL, \
         new_worker VARCHAR(255) NOT NULL) ENGINE = InnoDB",
    );
    env.database.execute(
        "CREATE TRIGGER test_takeover AFTER UPDATE ON step_lease FOR EACH ROW BEGIN \
         IF OLD.claim_token IS NOT NULL AND NEW.claim_token IS NOT NULL \
         AND OLD.claim_token <> NEW.claim_token THEN \
         INSERT INTO test_takeover VALUES \
         (OLD.step_execution_id, OLD.claim_token, OLD.worker, NEW.worker); END IF; END",
    );
}

/// Deletes the recorded takeovers.
pub(crate) fn clear(env: &TestEnv) {
    env.database.execute("DELETE FROM test_takeover");
}

/// Returns the number of takeovers.
pub(crate) fn count(env: &TestEnv) -> u64 {
    env.database.number("SELECT COUNT(*) FROM test_takeover")
}

/// Whether another worker has taken over this claim.
fn has_happened(env: &TestEnv, owned: &OwnedClaim) -> bool {
    let taken = env.database.number(&format!(
        "SELECT COUNT(*) FROM test_takeover WHERE step_execution_id = {} AND old_token = {} \
         AND new_worker <> old_worker",
        owned.step, owned.token
    ));
    taken > 0
}

/// Waits until a partition is completed; returns whether another worker had taken over this claim.
/// The last commit of a killed process can arrive after its end.
pub(crate) fn until_completed(env: &TestEnv, owned: &OwnedClaim) -> bool {
    let status = format!(
        "SELECT STATUS FROM BATCH_STEP_EXECUTION WHERE STEP_EXECUTION_ID = {}",
        owned.step
    );
    until("the end of the partition", || {
        env.database.value(&status) == "COMPLETED"
    });
    has_happened(env, owned)
}
