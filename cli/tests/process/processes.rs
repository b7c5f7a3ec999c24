//! Several processes on one database: two that settle, one that is asked to end, one that stops
//! what another works on.

use crate::{
    dump::assert_same,
    harness::{Call, Outcome, TestEnv},
    kills::until_at_work,
    plays::{assert_all_complete, imported, imported_days, undisturbed},
};

const DAY: &str = "2024-03-30";

/// Slow enough to be met in the middle.
fn slow(env: &TestEnv, args: &[&str]) -> Call {
    env.balance(args)
        .env("PARTITIONS", 2)
        .env("WORKER_CONCURRENCY", 2)
        .env("CHUNK_SIZE", 1)
}

#[test]
fn a_second_process_is_refused_while_a_first_one_settles() {
    let env = imported_days(&[DAY], 400);
    let expected = undisturbed(&env);
    let mut first = slow(&env, &["settle", "--date", DAY]).start();
    until_at_work(&env, &mut first, "%");
    env.balance(&["settle", "--date", DAY]).run().failed(&[
        "JobExecutionAlreadyRunning",
        DAY,
        "STARTED",
    ]);
    first.wait().succeeded();
    assert_all_complete(&env, 1);
    assert_same(&env.results(), &expected, "two processes");
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
            outcomes.iter().any(Outcome::is_ok),
            "{round}: {outcomes:#?}"
        );
        for outcome in outcomes {
            if !outcome.is_ok() {
                outcome.failed(&["JobExecutionAlreadyRunning"]);
            }
        }
        assert_all_complete(&env, 2);
        assert_same(&env.results(), &expected, "two processes at once");
    }
}

#[test]
fn sigterm_gives_the_leases_back_and_the_next_run_goes_on() {
    let env = imported_days(&[DAY], 400);
    let expected = undisturbed(&env);
    let mut first = slow(&env, &["settle"]).start();
    until_at_work(&env, &mut first, "%");
    first.terminate();
    first
        .wait()
        .failed(&["asked to end", "execution 1", "balance settle"]);
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
    let mut first = slow(&env, &["settle"]).start();
    until_at_work(&env, &mut first, "%");
    let stopped = env.balance(&["jobs", "stop", "1"]).run().succeeded();
    assert!(
        stopped.stdout.contains("execution 1 is STOP"),
        "{stopped:#?}"
    );
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
    // What was done before the stop is not done again.
    let writes = "SELECT SUM(WRITE_COUNT) FROM BATCH_STEP_EXECUTION \
                  WHERE STEP_NAME LIKE 'dayStatisticsStep:%'";
    assert_eq!(env.value(writes), "400");
}

#[test]
fn a_dead_process_leaves_its_execution_to_a_stop() {
    let env = imported_days(&[DAY], 100);
    let expected = undisturbed(&env);
    let mut first = slow(&env, &["settle"]).start();
    until_at_work(&env, &mut first, "%");
    first.kill();
    assert!(first.wait().was_killed());
    let stopped = env.balance(&["jobs", "stop", "1"]).run().succeeded();
    assert!(
        stopped.stdout.contains("execution 1 is STOPPED"),
        "{stopped:#?}"
    );
    env.balance(&["settle"]).run().succeeded();
    assert_same(&env.results(), &expected, "stopped after death");
}
