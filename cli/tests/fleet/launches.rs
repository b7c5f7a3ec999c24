//! Who launches a day: people at once, the schedule of all workers at once, and a fleet that was
//! away for some nights.

use crate::{
    common::program::{Outcome, until},
    database::Database,
    env::TestEnv,
    fleet::Fleet,
    plays,
    servers::Servers,
};
use chrono::{DateTime, TimeDelta};

const DAY: &str = "2024-03-30";
const DAY_S: i64 = 24 * 3_600;

/// Starts so many launchers of one day, and lets go of all in one moment: a lock holds them at the
/// launch's first statement until each is there.
fn launched_at_once(env: &TestEnv, launchers: u64) -> Vec<Outcome> {
    let view_window: Database = env.another_connection();
    view_window.execute("LOCK TABLES job_date WRITE");
    let started: Vec<_> = (0..launchers)
        .map(|_| env.balance(&["jobs", "launch", "--date", DAY]).start())
        .collect();
    let waiting = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                   WHERE DB = DATABASE() AND STATE LIKE 'Waiting for table metadata lock%'";
    until("all launchers to stand at the gate", || {
        env.database.number(waiting) == launchers
    });
    view_window.execute("UNLOCK TABLES");
    started
        .into_iter()
        .map(|launcher| launcher.wait())
        .collect()
}

/// One launched the day, the others were told that it runs.
fn assert_one_won(env: &TestEnv, outcomes: Vec<Outcome>) {
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Outcome::is_ok);
    assert_eq!(won.len(), 1, "{won:#?}");
    let executions = env
        .database
        .rows("SELECT JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION");
    assert_eq!(executions.len(), 1, "{executions:?}");
    let said = &won[0].stdout;
    assert!(
        said.contains(&format!("execution {}", executions[0])),
        "{said}"
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
        env.unsettle();
        let outcomes = launched_at_once(&env, 2);
        assert_one_won(&env, outcomes);
    }
    env.unsettle();
    let outcomes = launched_at_once(&env, 20);
    assert_one_won(&env, outcomes);

    // What was launched is whole: the first worker settles it.
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
    // The workers' look at their start found nothing; their next is a minute away.
    env.import(&plays::day(DAY, 200));
    env.watch_claims();
    let settled = env.balance(&["settle", "--date", DAY, "--no-work"]).run();
    let settled = settled.succeeded();
    assert!(settled.stdout.contains("COMPLETED"), "{settled:#?}");
    env.assert_all_complete(1, "left to the fleet");
    let claimants = env.database.rows("SELECT DISTINCT worker FROM test_claim");
    assert!(!claimants.is_empty());
    for claimant in claimants {
        assert!(
            fleet.workers.iter().any(|worker| worker.name == claimant),
            "{claimant} is no worker"
        );
    }
    fleet.end();
}

#[test]
fn days_missed_while_the_fleet_was_down_are_made_up_in_order() {
    let days = ["2024-03-30", "2024-03-31", "2024-04-02"];
    let env = TestEnv::new(&Servers::shared());
    // The last first: it is the dates that count.
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

/// The offset from UTC whose next midnight is so many seconds ahead of an instant.
fn offset_with_midnight_in(ahead_s: i64, now_s: i64) -> String {
    let east = (-ahead_s - now_s).rem_euclid(DAY_S);
    // On the side of UTC that is nearer.
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
    // Enough to import and to start the workers, on whatever machine this is.
    for ahead_s in [5, 10, 20, 40] {
        if fires_at_once(&servers, ahead_s) {
            return;
        }
        eprintln!("{ahead_s} s were too few to start before midnight");
    }
    panic!("too slow to start four workers before a midnight");
}

/// Has four workers wait for a midnight that is so far ahead; whether they were there in time.
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
    // The look for missed days comes a minute after the start: it was the schedule.
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
