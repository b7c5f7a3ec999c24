//! A partition whose workers crash repeatedly at one cursor is quarantined with a reason.

use crate::{
    env::{Call, TestEnv},
    plays::{assert_all_complete, imported_days, undisturbed},
    rows::assert_same,
};

const CLAIMED: &str = "SELECT STATUS, COMMIT_COUNT FROM BATCH_STEP_EXECUTION \
                       WHERE STEP_NAME = 'dayStatisticsStep:partition0'";

fn call(env: &TestEnv, args: &[&str]) -> Call {
    env.balance(args)
        .env("PARTITIONS", 1)
        .env("WORKER_CONCURRENCY", 1)
}

/// Kills a run after the commit that claims the partition, before its first chunk.
fn killed_at_the_claim(env: &TestEnv, crashes: usize) -> TestEnv {
    (1..40)
        .find_map(|commit| {
            let env = env.copy();
            let outcome = call(&env, &["settle"])
                .env("BALANCE_KILL_AT", format!("after:{commit}"))
                .run();
            assert!(outcome.was_killed(), "{outcome:#?}");
            // Each claim records the crash before it.
            let expiries = env.value("SELECT COUNT(*) FROM step_expiry");
            let is_claimed = env.rows(CLAIMED) == ["STARTED|0"];
            (is_claimed && expiries == crashes.to_string()).then_some(env)
        })
        .expect("a claim is among the first commits")
}

#[test]
fn three_crashes_at_one_cursor_quarantine_a_partition_until_its_retry() {
    let unsettled = imported_days(&["2024-03-30"], 10);
    let expected = undisturbed(&unsettled);
    let mut env = unsettled;
    for crashes in 0..3 {
        env = killed_at_the_claim(&env, crashes);
    }

    let outcome = call(&env, &["settle"]).run().failed(&[]);
    let reason = "quarantined: its workers crashed 3 times at the beginning";
    assert!(outcome.stdout.contains("FAILED"), "{outcome:#?}");
    assert!(outcome.stdout.contains(reason), "{outcome:#?}");
    assert_eq!(
        env.rows("SELECT STATUS FROM BATCH_JOB_EXECUTION"),
        ["FAILED"]
    );
    assert_eq!(env.value("SELECT COUNT(*) FROM step_lease"), "0");

    // A restart keeps the quarantine.
    let outcome = call(&env, &["settle"]).run().failed(&[]);
    assert!(outcome.stdout.contains("FAILED"), "{outcome:#?}");
    let of_newest = "WHERE STEP_NAME = 'dayStatisticsStep:partition0' \
                     ORDER BY STEP_EXECUTION_ID DESC LIMIT 1";
    let message = format!("SELECT STATUS, EXIT_MESSAGE FROM BATCH_STEP_EXECUTION {of_newest}");
    let message = env.value(&message);
    assert!(message.starts_with("FAILED|"), "{message}");
    assert!(message.contains("quarantined"), "{message}");

    // A retry runs the partition.
    let id = format!("SELECT STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION {of_newest}");
    call(&env, &["jobs", "retry", &env.value(&id)])
        .run()
        .succeeded();
    assert_same(&env.results(), &expected, "after the retry");
    let newest = env.rows("SELECT STATUS FROM BATCH_JOB_EXECUTION ORDER BY 1");
    assert_eq!(newest, ["COMPLETED", "FAILED", "FAILED"]);
    assert_eq!(env.value("SELECT COUNT(*) FROM step_lease"), "0");
}

#[test]
fn two_crashes_and_progress_quarantine_nothing() {
    let unsettled = imported_days(&["2024-03-30"], 10);
    let expected = undisturbed(&unsettled);
    let mut env = unsettled;
    for crashes in 0..2 {
        env = killed_at_the_claim(&env, crashes);
    }
    call(&env, &["settle"]).run().succeeded();
    assert_all_complete(&env, 1);
    assert_same(&env.results(), &expected, "after two crashes");
    assert_eq!(env.value("SELECT COUNT(*) FROM step_quarantine"), "0");
}
