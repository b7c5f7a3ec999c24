//! Kills at any point: SIGKILL before and after each commit, and at random while a partition runs.
//! The next run produces the results of an undisturbed run.

use crate::{
    env::{PROCESS_TIMEOUT, Running, TestEnv, block_on, until, variable},
    plays::{assert_all_complete, imported, imported_days, undisturbed},
    rows::{assert_same, rows},
};
use balance_test_support::day_job::partitioned_steps;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sqlx::Connection;
use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

const THREADS: usize = 3;
/// The number of commits varies slightly with time, so the last ones may not occur.
const UNSURE: u64 = 8;

fn settle(env: &TestEnv, chunk_size: u32) -> crate::env::Call {
    env.balance(&["settle"])
        .env("PARTITIONS", 2)
        .env("WORKER_CONCURRENCY", 2)
        .env("CHUNK_SIZE", chunk_size)
}

/// Asserts that the next run completes the settlement with the expected results.
fn assert_recovers(env: &TestEnv, expected: &[String], days: usize, what: &str) {
    let outcome = settle(env, 100).run();
    assert!(outcome.is_ok(), "{what}: {outcome:#?}");
    assert_all_complete(env, days);
    assert_same(&env.results(), expected, what);
    let verified = env.balance(&["verify"]).run();
    assert!(verified.is_ok(), "{what}: {verified:#?}");
}

#[test]
fn killed_before_and_after_every_commit() {
    const DAYS: usize = 2;
    const CHUNK_SIZE: u32 = 10;
    let unsettled = imported(40);
    let alone = unsettled.copy();
    let counted = alone.folder().join("commits");
    settle(&alone, CHUNK_SIZE)
        .env("BALANCE_COUNT_COMMITS", counted.display())
        .run()
        .succeeded();
    assert_all_complete(&alone, DAYS);
    let expected = alone.results();
    let commits: u64 = std::fs::read_to_string(counted).unwrap().parse().unwrap();
    assert!(commits > 40, "{commits} commits");

    let cases: Vec<(u64, &str)> = (1..=commits)
        .flat_map(|commit| [(commit, "before"), (commit, "after")])
        .collect();
    let (next, landed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((commit, side)) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let env = unsettled.copy();
                    let at = format!("{side}:{commit}");
                    let outcome = settle(&env, CHUNK_SIZE).env("BALANCE_KILL_AT", &at).run();
                    if outcome.was_killed() {
                        landed.fetch_add(1, Ordering::SeqCst);
                    } else {
                        let may_miss = commit + UNSURE > commits && outcome.is_ok();
                        assert!(may_miss, "{at} of {commits}: {outcome:#?}");
                    }
                    assert_recovers(&env, &expected, DAYS, &format!("killed {at}"));
                }
            });
        }
    });
    let landed = landed.into_inner();
    eprintln!(
        "{commits} commits; {landed} of {} kills landed",
        cases.len()
    );
    assert!(landed + 2 * usize::try_from(UNSURE).unwrap() >= cases.len());
}

/// Waits until a partition of a step (of any for `%`) is STARTED, or the process has ended.
pub(crate) fn until_running(env: &TestEnv, child: &mut Running, step: &str) {
    let started = format!(
        "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION \
         WHERE STATUS = 'STARTED' AND STEP_NAME LIKE '{step}:partition%'"
    );
    block_on(async {
        let mut connection = env.connect().await;
        let running = async {
            while !child.has_ended() && rows(&mut connection, &started).await == ["0"] {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let running = tokio::time::timeout(PROCESS_TIMEOUT, running);
        running.await.expect("a partition starts");
        connection.close().await.unwrap();
    });
}

#[test]
fn killed_fifty_times_while_a_partition_is_started() {
    const KILLS: usize = 50;
    const ATTEMPTS: u64 = 400;
    let seed: u64 = match variable("TEST_SEED") {
        Some(seed) => seed.parse().expect("TEST_SEED is a number"),
        None => rand::random(),
    };
    eprintln!("TEST_SEED={seed}");
    let unsettled = imported_days(&["2024-03-30"], 150);
    let expected = undisturbed(&unsettled);
    let steps = partitioned_steps();
    let (attempts, landed) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while landed.lock().unwrap().len() < KILLS {
                    let attempt = attempts.fetch_add(1, Ordering::SeqCst);
                    assert!(attempt < ATTEMPTS, "seed {seed}: too few kills land");
                    let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(attempt));
                    let chunk_size = rng.random_range(1..=2);
                    let wait = Duration::from_micros(rng.random_range(0..=200_000));
                    let step = steps[rng.random_range(0..steps.len())];
                    let env = unsettled.copy();
                    let mut child = settle(&env, chunk_size).start();
                    until_running(&env, &mut child, step);
                    std::thread::sleep(wait);
                    child.kill();
                    let outcome = child.wait();
                    if !outcome.was_killed() {
                        assert!(outcome.is_ok(), "seed {seed}: {outcome:#?}");
                    }
                    let started = env.rows(
                        "SELECT STEP_NAME FROM BATCH_STEP_EXECUTION \
                         WHERE STATUS = 'STARTED' AND STEP_NAME LIKE '%:partition%'",
                    );
                    let what =
                        format!("seed {seed}, attempt {attempt}, after {wait:?}, {started:?}");
                    assert_recovers(&env, &expected, 1, &what);
                    if let Some(name) = started.into_iter().next() {
                        landed.lock().unwrap().push(name);
                    }
                }
            });
        }
    });
    let landed = landed.into_inner().unwrap();
    let of = |step: &str| landed.iter().filter(|name| name.starts_with(step)).count();
    let by_step: Vec<String> = steps
        .iter()
        .map(|step| format!("{} {step}", of(step)))
        .collect();
    eprintln!(
        "{} kills in {} attempts: {}",
        landed.len(),
        attempts.into_inner(),
        by_step.join(", "),
    );
    assert!(landed.len() >= KILLS);
}

#[test]
fn killed_repeatedly_in_one_settlement() {
    // Each run is killed a commit later than the one before.
    let unsettled = imported(30);
    let expected = undisturbed(&unsettled);
    let env = unsettled.copy();
    let mut kills = 0;
    until("a run that completes", || {
        let at = format!("after:{}", 6 + kills);
        let outcome = settle(&env, 10).env("BALANCE_KILL_AT", &at).run();
        kills += u32::from(outcome.was_killed());
        !outcome.was_killed()
    });
    assert!(kills > 3, "{kills} kills");
    assert_recovers(&env, &expected, 2, "killed repeatedly");
}
