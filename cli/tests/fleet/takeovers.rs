//! A witness in the database: writes down each claim that went from one worker to another without
//! having been given back.

use crate::{common::program::until, env::TestEnv, fleet::Held};

/// Lets the database write down takeovers from now on.
pub(crate) fn watch(env: &TestEnv) {
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

/// Forgets what was written down.
pub(crate) fn forget(env: &TestEnv) {
    env.database.execute("DELETE FROM test_takeover");
}

/// How many takeovers there were.
pub(crate) fn count(env: &TestEnv) -> u64 {
    env.database.number("SELECT COUNT(*) FROM test_takeover")
}

/// Whether another worker took this claim over.
fn has_happened(env: &TestEnv, owned: &Held) -> bool {
    let taken = env.database.number(&format!(
        "SELECT COUNT(*) FROM test_takeover WHERE step_execution_id = {} AND old_token = {} \
         AND new_worker <> old_worker",
        owned.step, owned.token
    ));
    taken > 0
}

/// Waits until a partition is completed; answers whether another worker had taken this claim over.
/// The last commit of a process that was killed can arrive after its death.
pub(crate) fn until_completed(env: &TestEnv, owned: &Held) -> bool {
    let status = format!(
        "SELECT STATUS FROM BATCH_STEP_EXECUTION WHERE STEP_EXECUTION_ID = {}",
        owned.step
    );
    until("the end of what was left behind", || {
        env.database.value(&status) == "COMPLETED"
    });
    has_happened(env, owned)
}
