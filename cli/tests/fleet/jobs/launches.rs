//! Launches of a day: concurrent admins, the schedules of all workers, and missed days.

use crate::{env::TestEnv, plays, worker::Fleet};
use balance_test_support::{
    process::{Outcome, until},
    servers::{Database, Servers},
};
use chrono::{DateTime, TimeDelta};

const DAY: &str = "2024-03-30";
const DAY_S: i64 = 24 * 3_600;

/// Starts launchers of one day. A lock delays all of them at the first statement of the launch, so
/// that they proceed at once.
fn launched_at_once(env: &TestEnv, launchers: u64) -> Vec<Outcome> {
    let locker: Database = env.another_connection();
    locker.execute("LOCK TABLES job_date WRITE");
    let started: Vec<_> = (0..launchers)
        .map(|_| env.balance(&["jobs", "launch", "--date", DAY]).start())
        .collect();
    let waiting = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                   WHERE DB = DATABASE() AND STATE LIKE 'Waiting for table metadata lock%'";
    until("all launchers to wait for the lock", || {
        env.database.number(waiting) == launchers
    });
    locker.execute("UNLOCK TABLES");
    started
        .into_iter()
        .map(|launcher| launcher.wait())
        .collect()
}

/// Asserts that one launcher succeeded, and that the others report a running execution.
fn assert_one_won(env: &TestEnv, outcomes: Vec<Outcome>) {
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Outcome::is_ok);
    assert_eq!(won.len(), 1, "{won:#?}");
    let executions = env
        .database
        .rows("SELECT JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION");
    assert_eq!(executions.len(), 1, "{executions:?}");
    let output = &won[0].stdout;
    assert!(
        output.contains(&format!("execution {}", executions[0])),
        "{output}"
    );
    for outcome in lost {
        let outcome = outcome.failed(&["JobExecutionAlreadyRunning", DAY]);
        assert_eq!(outcome.status.code(), Some(1), "{outcome:#?}");
    }
    let instances = "SELECT COUNT(*) FROM BATCH_JOB_INSTANCE";
    assert_eq!(env.database.value(instances), "1");
}

#[test]
fn launchers_at_once_make_one_execution() {
    let env = TestEnv::new(&Servers::shared());
    env.import(&plays::day(DAY, 50));
    for _ in 0..10 {
        env.reset_settlements();
        let outcomes = launched_at_once(&env, 2);
        assert_one_won(&env, outcomes);
    }
    env.reset_settlements();
    let outcomes = launched_at_once(&env, 20);
    assert_one_won(&env, outcomes);

    // The execution is complete: a worker settles it.
    let fleet = Fleet::start(&env, 1);
    env.until_settled(1, "launched once");
    fleet.end();
    env.assert_all_complete(1, "launched once");
    let again = env.balance(&["jobs", "launch", "--date", DAY]).run();
    again.failed(&["JobInstanceAlreadyComplete", DAY]);
}

#[test]
fn settling_can_leave_the_work_to_the_fleet() {
    let env = TestEnv::new(&Servers::shared()).with("PARTITIONS", 8);
    let fleet = Fleet::start(&env, 2);
    // The workers have checked for missed days; their next check is a minute later.
    env.import(&plays::day(DAY, 200));
    env.record_claims();
    let settled = env.balance(&["settle", "--date", DAY, "--no-work"]).run();
    let settled = settled.succeeded();
    assert!(settled.stdout.contains("COMPLETED"), "{settled:#?}");
    env.assert_all_complete(1, "settled by the fleet");
    let claimants = env.database.rows("SELECT DISTINCT worker FROM test_claim");
    assert!(!claimants.is_empty());
    for claimant in claimants {
        assert!(
            fleet.workers.iter().any(|worker| worker.name == claimant),
            "{claimant} is not a worker of the fleet"
        );
    }
    fleet.end();
}

#[test]
fn settling_joins_an_execution_of_the_schedule() {
    let days = ["2024-03-30", "2024-03-31"];
    let env = TestEnv::new(&Servers::shared())
        .with("PARTITIONS", 4)
        .with("CHUNK_SIZE", 1);
    for day in days {
        env.import(&plays::day(day, 300));
    }
    // The schedule launches missed days when the workers start.
    let fleet = Fleet::start(&env, 2);
    until("the schedule to launch a day", || {
        env.database
            .number("SELECT COUNT(*) FROM BATCH_JOB_EXECUTION")
            > 0
    });
    let settled = env.balance(&["settle", "--no-work"]).run().succeeded();
    assert!(settled.stderr.contains("joined execution"), "{settled:#?}");
    fleet.end();
    env.assert_all_complete(days.len(), "joined");
}

#[test]
fn days_missed_while_the_fleet_was_down_are_settled_in_order() {
    let days = ["2024-03-30", "2024-03-31", "2024-04-02"];
    let env = TestEnv::new(&Servers::shared());
    // The order of the imports is irrelevant.
    for day in days.iter().rev() {
        env.import(&plays::day(day, 60));
    }
    let fleet = Fleet::start(&env, 4);
    env.until_settled(days.len(), "three nights");
    fleet.end();
    env.assert_all_complete(days.len(), "three nights");
    let runs = env.database.rows(
        "SELECT p.PARAMETER_VALUE, e.START_TIME, e.END_TIME FROM BATCH_JOB_EXECUTION e \
         JOIN BATCH_JOB_EXECUTION_PARAMS p ON p.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID \
         WHERE p.PARAMETER_NAME = 'date' ORDER BY e.START_TIME",
    );
    let runs: Vec<Vec<&str>> = runs.iter().map(|run| run.split('|').collect()).collect();
    let settled: Vec<&str> = runs.iter().map(|run| run[0]).collect();
    assert_eq!(settled, days);
    for pair in runs.windows(2) {
        assert!(pair[0][2] <= pair[1][1], "{runs:?}");
    }
}

/// Returns the UTC offset whose next midnight is a number of seconds after an instant.
fn offset_with_midnight_in(ahead_s: i64, now_s: i64) -> String {
    let east = (-ahead_s - now_s).rem_euclid(DAY_S);
    // The smaller of the two offsets.
    let (sign, s) = if east > DAY_S / 2 {
        ('-', DAY_S - east)
    } else {
        ('+', east)
    };
    format!("{sign}{:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

#[test]
fn four_schedules_that_fire_at_one_moment_make_one_execution() {
    let servers = Servers::shared();
    // Growing times for the import and the start of the workers, for slow machines.
    for ahead_s in [5, 10, 20, 40] {
        if fires_at_once(&servers, ahead_s) {
            return;
        }
        eprintln!("{ahead_s} s were too few to start before midnight");
    }
    panic!("too slow to start four workers before a midnight");
}

/// Starts four workers before a midnight. Returns false if they started too late.
fn fires_at_once(servers: &std::sync::Arc<Servers>, ahead_s: i64) -> bool {
    let env = TestEnv::empty(servers);
    let now_s = |env: &TestEnv| -> i64 {
        let now = env.database.value("SELECT FLOOR(UNIX_TIMESTAMP())");
        now.parse().unwrap()
    };
    let began_s = now_s(&env);
    let midnight_s = began_s + ahead_s;
    let zone = offset_with_midnight_in(ahead_s, began_s);
    let env = env.with("BUSINESS_TIMEZONE", &zone);
    env.balance(&["migrate"]).run().succeeded();
    let noon = DateTime::from_timestamp(midnight_s - DAY_S / 2, 0).unwrap();
    let lines: String = (0..40)
        .map(|n| {
            let at = noon + TimeDelta::seconds(n);
            let at = at.format("%Y-%m-%dT%H:%M:%SZ");
            format!("{},{},9,{at},60,600\n", 100 + n, 1 + n)
        })
        .collect();
    env.import(&format!("{}\n{lines}", plays::HEADER));
    let fleet = Fleet::start(&env, 4);
    if now_s(&env) >= midnight_s {
        return false;
    }
    let launched = "SELECT COUNT(*) FROM BATCH_JOB_INSTANCE";
    assert_eq!(env.database.value(launched), "0", "before midnight");
    env.until_settled(1, "at midnight");
    // The check for missed days comes a minute after the start, so the schedule launched the day.
    let launch_s: i64 = env
        .database
        .value(
            "SELECT MIN(TIMESTAMPDIFF(SECOND, '1970-01-01', CREATE_TIME)) \
             FROM BATCH_JOB_EXECUTION",
        )
        .parse()
        .unwrap();
    eprintln!(
        "midnight in {zone}: launched {} s after it",
        launch_s - midnight_s
    );
    assert!((midnight_s..began_s + 60).contains(&launch_s), "{launch_s}");
    for worker in &fleet.workers {
        assert!(!worker.stderr().contains("ERROR"), "{}", worker.stderr());
    }
    fleet.end();
    env.assert_all_complete(1, "at midnight");
    true
}
