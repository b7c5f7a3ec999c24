//! Settlements that join an execution that is already running.

use crate::{
    env::{Running, TestEnv, signal, until},
    plays::{assert_all_complete, csv, imported_days, undisturbed},
    rows::assert_same,
    settlement::{concurrency::Hold, kills::until_running},
};

const DAY: &str = "2024-03-30";

fn until_joined(process: &Running) {
    until("the process to join", || {
        process.stderr().contains("joined execution 1")
    });
}

/// Launches the day without a worker, so that its execution waits in `closeDayStep`.
fn launched() -> TestEnv {
    let env = imported_days(&[DAY], 10);
    env.balance(&["jobs", "launch", "--date", DAY])
        .run()
        .succeeded();
    env
}

#[test]
fn a_second_settlement_joins_the_running_execution() {
    let unsettled = imported_days(&[DAY], 20);
    let expected = undisturbed(&unsettled);
    for args in [
        &["settle", "--date", DAY][..],
        &["settle"],
        &["settle", "--from", DAY, "--to", DAY],
        &["settle", "--date", DAY, "--no-work"],
    ] {
        let env = unsettled.copy();
        let hold = Hold::new(&env);
        let first = hold.settlement(&env, &["settle", "--date", DAY]);
        let second = env.balance(args).start();
        until_joined(&second);
        hold.release();
        let second = second.wait().succeeded();
        assert!(
            second.stdout.contains("execution 1: COMPLETED"),
            "{second:#?}"
        );
        first.wait().succeeded();
        assert_all_complete(&env, 1);
        assert_same(&env.results(), &expected, "two processes");
    }
}

#[test]
fn a_joined_execution_survives_the_end_of_its_first_process() {
    let env = imported_days(&[DAY], 20);
    let expected = undisturbed(&env);
    let hold = Hold::new(&env);
    let mut first = hold.settlement(&env, &["settle"]);
    let second = hold.call(&env, &["settle"]).start();
    until_joined(&second);
    first.kill();
    assert!(first.wait().was_killed());
    hold.release();
    second.wait().succeeded();
    assert_all_complete(&env, 1);
    assert_same(&env.results(), &expected, "after the kill");
}

#[test]
fn a_settlement_that_joins_an_execution_reports_its_stop() {
    let env = imported_days(&[DAY], 20);
    let hold = Hold::new(&env);
    let first = hold.settlement(&env, &["settle"]);
    let second = hold.call(&env, &["settle"]).start();
    until_joined(&second);
    env.balance(&["jobs", "stop", "1"]).run().succeeded();
    hold.release();
    for process in [first, second] {
        let outcome = process.wait().failed(&[]);
        assert!(outcome.stdout.contains("STOPPED"), "{outcome:#?}");
    }
}

#[test]
fn a_settlement_joins_an_execution_of_the_server() {
    let env = imported_days(&[DAY], 20);
    let expected = undisturbed(&env);
    let hold = Hold::new(&env);
    let mut server = hold
        .call(&env, &["serve"])
        .env("LISTEN_ADDR", "127.0.0.1:0")
        .start();
    // The schedule of the server launches the missed day.
    until_running(&env, &mut server, "%");
    let settled = env.balance(&["settle"]).start();
    until_joined(&settled);
    hold.release();
    let settled = settled.wait().succeeded();
    assert!(
        settled.stdout.contains("execution 1: COMPLETED"),
        "{settled:#?}"
    );
    let again = env.balance(&["settle", "--date", DAY]).run();
    again.failed(&["JobInstanceAlreadyComplete", DAY]);
    server.terminate();
    server.wait().succeeded();
    assert_all_complete(&env, 1);
    assert_same(&env.results(), &expected, "beside the server");
}

#[test]
fn a_settlement_that_joins_an_execution_reports_its_failure() {
    let env = imported_days(&[DAY], 20);
    // A video that cannot be settled.
    env.execute("UPDATE play_history SET play_time = -7 WHERE video_id = 20");
    let hold = Hold::new(&env);
    let first = hold.settlement(&env, &["settle"]);
    let joined = [
        hold.call(&env, &["settle"]).start(),
        env.balance(&["settle", "--date", DAY, "--no-work"]).start(),
    ];
    joined.iter().for_each(until_joined);
    hold.release();
    first.wait().failed(&[]);
    for process in joined {
        let outcome = process.wait().failed(&[]);
        assert!(
            outcome.stdout.contains("execution 1: FAILED"),
            "{outcome:#?}"
        );
        assert!(outcome.stdout.contains("video 20"), "{outcome:#?}");
    }
}

#[test]
fn a_settlement_that_joins_an_execution_reports_that_it_was_abandoned() {
    let env = launched();
    let joined = env.balance(&["settle", "--no-work"]).start();
    until_joined(&joined);
    // While it is paused, the process does not observe the status STOPPED.
    signal(joined.id(), "STOP");
    env.balance(&["jobs", "stop", "1"]).run().succeeded();
    env.balance(&["jobs", "abandon", "1"]).run().succeeded();
    signal(joined.id(), "CONT");
    let outcome = joined.wait().failed(&[]);
    assert!(
        outcome.stdout.contains("execution 1: ABANDONED"),
        "{outcome:#?}"
    );
    env.balance(&["settle"]).run().succeeded();
    let statuses = env.rows("SELECT STATUS FROM BATCH_JOB_EXECUTION ORDER BY JOB_EXECUTION_ID");
    assert_eq!(statuses, ["ABANDONED", "COMPLETED"]);
}

#[test]
fn a_settlement_behind_an_earlier_unsettled_day_ends_instead_of_waiting() {
    const EARLIER: &str = "2024-03-29";
    let env = launched();
    let joined = env.balance(&["settle", "--date", DAY, "--no-work"]).start();
    until_joined(&joined);
    let file = env.file("earlier.csv", csv(&[EARLIER], 10));
    env.balance(&["import", &file]).run().succeeded();
    // The process that waits, then processes that would join or continue the execution.
    joined.wait().failed(&["EarlierDayUnsettled", EARLIER]);
    for args in [
        &["settle", "--date", DAY, "--no-work"][..],
        &["settle", "--date", DAY],
        &["settle", "--from", DAY, "--to", DAY],
        &["jobs", "restart", "1"],
    ] {
        let outcome = env.balance(args).run();
        let outcome = outcome.failed(&["EarlierDayUnsettled", EARLIER]);
        assert!(!outcome.stderr.contains("joined"), "{outcome:#?}");
    }
    env.balance(&["settle"]).run().succeeded();
    assert_all_complete(&env, 2);
    // The later day was launched before the earlier one, and settled after it.
    env.balance(&["verify"]).run().succeeded();
}

#[test]
fn without_a_worker_a_settlement_reports_that_it_waits_for_one() {
    const MESSAGE: &str = "no worker is registered";
    let env = imported_days(&[DAY], 20);
    let expected = undisturbed(&env);
    let hold = Hold::new(&env);
    let mut first = hold.call(&env, &["settle"]).env("LEASE_S", 3).start();
    until_running(&env, &mut first, "%");
    let joined = env.balance(&["settle", "--no-work"]).start();
    until_joined(&joined);
    assert!(!joined.stderr().contains(MESSAGE), "{}", joined.stderr());
    first.kill();
    assert!(first.wait().was_killed());
    hold.release();
    until("the worker to disappear", || {
        joined.stderr().contains(MESSAGE)
    });
    let late = env.balance(&["settle", "--no-work"]).start();
    until_joined(&late);
    assert!(late.stderr().contains(MESSAGE), "{}", late.stderr());

    env.balance(&["settle"]).run().succeeded();
    for process in [joined, late] {
        let outcome = process.wait().succeeded();
        assert_eq!(outcome.stderr.matches(MESSAGE).count(), 1, "{outcome:#?}");
    }
    assert_all_complete(&env, 1);
    assert_same(&env.results(), &expected, "after the wait");
}
