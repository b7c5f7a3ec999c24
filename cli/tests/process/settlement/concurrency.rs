//! Several processes on one database: concurrent settlements, a shutdown, and a stop by another
//! process.

use crate::{
    env::{Call, Outcome, Running, TestEnv},
    plays::{assert_all_complete, imported, imported_days, undisturbed},
    rows::assert_same,
    settlement::kills::until_running,
};
use std::path::PathBuf;

const DAY: &str = "2024-03-30";

/// A file in the environment's folder. While it exists, held processes commit no chunk.
pub(crate) struct Hold(PathBuf);

impl Hold {
    pub(crate) fn new(env: &TestEnv) -> Self {
        Self(PathBuf::from(env.file("hold", "")))
    }

    /// Returns a call that commits no chunk before [`Self::release`].
    pub(crate) fn call(&self, env: &TestEnv, args: &[&str]) -> Call {
        env.balance(args)
            .env("PARTITIONS", 2)
            .env("WORKER_CONCURRENCY", 2)
            .env("CHUNK_SIZE", 1)
            .env("BALANCE_HOLD_CHUNKS", self.0.display())
    }

    /// Starts a settlement, and waits until it holds its first chunks.
    pub(crate) fn settlement(&self, env: &TestEnv, args: &[&str]) -> Running {
        let mut settlement = self.call(env, args).start();
        until_running(env, &mut settlement, "%");
        settlement
    }

    pub(crate) fn release(self) {
        std::fs::remove_file(self.0).unwrap();
    }
}

#[test]
fn two_processes_at_once_settle_each_day_once() {
    let unsettled = imported(60);
    let expected = undisturbed(&unsettled);
    for round in 0..6 {
        let env = unsettled.copy();
        let both = [(); 2].map(|()| env.balance(&["settle"]).env("CHUNK_SIZE", 10).start());
        let outcomes: Vec<Outcome> = both.into_iter().map(|child| child.wait()).collect();
        assert!(
            outcomes.iter().all(Outcome::is_ok),
            "{round}: {outcomes:#?}"
        );
        assert_all_complete(&env, 2);
        assert_same(&env.results(), &expected, "two processes at once");
    }
}

#[test]
fn sigterm_releases_the_leases_and_the_next_run_continues() {
    let env = imported_days(&[DAY], 400);
    let expected = undisturbed(&env);
    let hold = Hold::new(&env);
    let first = hold.settlement(&env, &["settle"]);
    first.terminate();
    hold.release();
    first
        .wait()
        .failed(&["interrupted", "execution 1", "balance settle"]);
    let owned = "SELECT COUNT(*) FROM step_lease WHERE claim_token IS NOT NULL";
    assert_eq!(env.value(owned), "0");
    assert_eq!(env.value("SELECT COUNT(*) FROM step_expiry"), "0");
    assert_eq!(
        env.value("SELECT STATUS FROM BATCH_JOB_EXECUTION"),
        "STARTED"
    );
    env.balance(&["settle"]).run().succeeded();
    assert_all_complete(&env, 1);
    assert_same(&env.results(), &expected, "after SIGTERM");
    assert_eq!(env.value("SELECT COUNT(*) FROM step_expiry"), "0");
}

#[test]
fn stopped_by_another_process_and_restarted() {
    let env = imported_days(&[DAY], 400);
    let expected = undisturbed(&env);
    let hold = Hold::new(&env);
    let first = hold.settlement(&env, &["settle"]);
    let stopped = env.balance(&["jobs", "stop", "1"]).run().succeeded();
    assert!(
        stopped.stdout.contains("execution 1 is STOP"),
        "{stopped:#?}"
    );
    hold.release();
    let outcome = first.wait().failed(&[]);
    assert!(outcome.stdout.contains("STOPPED"), "{outcome:#?}");
    assert_eq!(
        env.value("SELECT STATUS FROM BATCH_JOB_EXECUTION"),
        "STOPPED"
    );
    assert_eq!(env.value("SELECT COUNT(*) FROM step_lease"), "0");
    let statuses = env.rows(
        "SELECT DISTINCT STATUS FROM BATCH_STEP_EXECUTION \
         WHERE STATUS NOT IN ('COMPLETED', 'STOPPED')",
    );
    assert!(statuses.is_empty(), "{statuses:?}");

    let restarted = env.balance(&["jobs", "restart", "1"]).run().succeeded();
    assert!(
        restarted.stdout.contains("execution 2: COMPLETED"),
        "{restarted:#?}"
    );
    assert_same(&env.results(), &expected, "after the restart");
    let executions = env.rows(
        "SELECT JOB_EXECUTION_ID, JOB_INSTANCE_ID, STATUS FROM BATCH_JOB_EXECUTION ORDER BY 1",
    );
    assert_eq!(executions, ["1|1|STOPPED", "2|1|COMPLETED"]);
    // The restart does not repeat completed work.
    let writes = "SELECT SUM(WRITE_COUNT) FROM BATCH_STEP_EXECUTION \
                  WHERE STEP_NAME LIKE 'dayStatisticsStep:%'";
    assert_eq!(env.value(writes), "400");
}

#[test]
fn the_execution_of_a_killed_process_can_be_stopped() {
    let env = imported_days(&[DAY], 100);
    let expected = undisturbed(&env);
    let hold = Hold::new(&env);
    let mut first = hold.settlement(&env, &["settle"]);
    first.kill();
    assert!(first.wait().was_killed());
    let stopped = env.balance(&["jobs", "stop", "1"]).run().succeeded();
    assert!(
        stopped.stdout.contains("execution 1 is STOPPED"),
        "{stopped:#?}"
    );
    env.balance(&["settle"]).run().succeeded();
    assert_same(&env.results(), &expected, "stopped after a kill");
}
