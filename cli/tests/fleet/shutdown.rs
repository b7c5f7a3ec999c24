//! The shutdown of workers, and the registry of workers.

use crate::{
    env::TestEnv,
    plays, takeovers,
    worker::{Fleet, Worker},
};
use balance_test_support::{process::until, servers::Servers};
use std::collections::BTreeSet;

const DAY: &str = "2024-03-30";
/// Longer than any test: a wait for an expired lease fails the test.
const FOR_EVER_S: u32 = 3_600;

/// Creates an environment in which a settlement takes long enough to be interrupted.
fn slow() -> TestEnv {
    let env = TestEnv::new(&Servers::shared())
        .with("PARTITIONS", 8)
        .with("CHUNK_SIZE", 2)
        .with("WORKER_CONCURRENCY", 2)
        .with("BALANCE_LOG", "info");
    env.import(&plays::day(DAY, 2_000));
    takeovers::record(&env);
    env
}

#[test]
fn a_worker_that_ends_releases_its_leases_and_others_continue_at_once() {
    let env = slow().with("LEASE_S", FOR_EVER_S);
    let mut fleet = Fleet::start(&env, 2);
    let leaver = fleet.workers.remove(0);
    until("both workers to own claims", || {
        let owns_claims = |worker: &Worker| !worker.claims(&env).is_empty();
        owns_claims(&leaver) && owns_claims(&fleet.workers[0])
    });
    let name = leaver.name.clone();
    leaver.end().succeeded();
    let status = "SELECT STATUS FROM BATCH_JOB_EXECUTION";
    assert_eq!(
        env.database.value(status),
        "STARTED",
        "the worker ended before the execution"
    );
    let owned = format!("SELECT COUNT(*) FROM step_lease WHERE worker = '{name}'");
    assert_eq!(
        env.database.number(&owned),
        0,
        "leases of a worker that ended"
    );
    env.until_settled(1, "after one worker's end");
    assert_eq!(takeovers::count(&env), 0, "expired leases");
    fleet.end();
    env.assert_all_complete(1, "after one worker's end");
}

#[test]
fn a_second_sigterm_ends_a_worker_at_once() {
    let env = slow().with("LEASE_S", 2).with("GRACE_S", FOR_EVER_S);
    let mut worker = Fleet::start(&env, 1).workers.remove(0);
    // The lock blocks all chunks, so the worker would wait for an hour.
    let locker = env.another_connection();
    until("a claim", || !worker.claims(&env).is_empty());
    locker.execute("LOCK TABLES video_statistics READ");
    until("both chunks to wait for the lock", || {
        env.database.number(WAITING) == 2
    });
    // Two signals at once can be merged into one.
    until("the worker's end", || {
        worker.signal("TERM");
        worker.has_ended()
    });
    let name = worker.name.clone();
    let outcome = worker.wait().failed(&["second request to end"]);
    assert_eq!(outcome.status.code(), Some(143), "{outcome:#?}");
    let owned = format!("SELECT COUNT(*) FROM step_lease WHERE worker = '{name}'");
    assert_eq!(env.database.number(&owned), 2, "leases that will expire");
    locker.execute("UNLOCK TABLES");

    let fleet = Fleet::start(&env, 2);
    env.until_settled(1, "after a worker that did not wait");
    assert!(takeovers::count(&env) >= 2);
    fleet.end();
    env.assert_all_complete(1, "after a worker that did not wait");
}

/// The statements of chunks that wait for a lock of a table.
const WAITING: &str = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                       WHERE DB = DATABASE() AND STATE LIKE 'Waiting for table metadata lock%'";

#[test]
fn a_chunk_that_outlasts_the_grace_time_is_given_up_and_repeated_at_once() {
    let env = slow().with("LEASE_S", FOR_EVER_S).with("GRACE_S", 1);
    let worker = Fleet::start(&env, 1).workers.remove(0);
    let locker = env.another_connection();
    until("two claims", || worker.claims(&env).len() == 2);
    locker.execute("LOCK TABLES play_history WRITE");
    until("both chunks to wait for the lock", || {
        env.database.number(WAITING) == 2
    });
    let name = worker.name.clone();
    let outcome = worker.end().failed(&["GRACE_S; other workers repeat them"]);
    assert_eq!(outcome.status.code(), Some(1), "{outcome:#?}");
    let owned = format!("SELECT COUNT(*) FROM step_lease WHERE worker = '{name}'");
    assert_eq!(env.database.number(&owned), 0, "leases");
    locker.execute("UNLOCK TABLES");
    let fleet = Fleet::start(&env, 1);
    env.until_settled(1, "after a worker that gave its chunks up");
    assert_eq!(takeovers::count(&env), 0, "expired leases");
    fleet.end();
    env.assert_all_complete(1, "after a worker that gave its chunks up");
}

#[test]
fn workers_that_are_killed_after_sigterm_are_no_crashes() {
    // As many partitions as slots: each worker claims those of the last one.
    let env = slow()
        .with("PARTITIONS", 2)
        .with("LEASE_S", 2)
        .with("GRACE_S", FOR_EVER_S);
    let locker = env.another_connection();
    // One more than the crashes that quarantine a partition.
    for round in 0..4 {
        let worker = Fleet::start(&env, 1).workers.remove(0);
        until("two claims", || worker.claims(&env).len() == 2);
        if round == 0 {
            locker.execute("LOCK TABLES play_history WRITE");
            until("both chunks to wait for the lock", || {
                env.database.number(WAITING) == 2
            });
        }
        worker.signal("TERM");
        let announced = format!(
            "SELECT COUNT(*) FROM step_expiry e JOIN step_lease l \
             ON l.step_execution_id = e.step_execution_id AND l.claim_token = e.claim_token \
             WHERE l.worker = '{}'",
            worker.name
        );
        until("the worker to announce its end", || {
            env.database.number(&announced) == 2
        });
        worker.kill();
    }
    locker.execute("UNLOCK TABLES");
    let fleet = Fleet::start(&env, 1);
    env.until_settled(1, "after four killed workers");
    fleet.end();
    env.assert_all_complete(1, "after four killed workers");
}

/// Returns the output of `balance workers --json`.
fn registry(env: &TestEnv) -> Vec<serde_json::Value> {
    let shown = env.balance(&["workers", "--json"]).run().succeeded();
    shown.json()["items"].as_array().unwrap().clone()
}

fn names(registry: &[serde_json::Value]) -> BTreeSet<&str> {
    let names = registry.iter().map(|worker| worker["name"].as_str());
    names.map(Option::unwrap).collect()
}

#[test]
fn the_registry_shows_running_and_killed_workers() {
    let env = slow().with("LEASE_S", 2);
    let mut fleet = Fleet::start(&env, 3);
    until("all workers to own claims", || {
        fleet
            .workers
            .iter()
            .all(|worker| !worker.claims(&env).is_empty())
    });
    let shown = registry(&env);
    let expected: Vec<String> = fleet.workers.iter().map(|one| one.name.clone()).collect();
    assert_eq!(names(&shown), expected.iter().map(String::as_str).collect());
    for worker in &shown {
        assert_eq!(worker["version"], env!("CARGO_PKG_VERSION"), "{worker}");
        assert_eq!(worker["concurrency"], 2, "{worker}");
        assert!(worker["isAlive"].as_bool().unwrap(), "{worker}");
        assert!(!worker["host"].as_str().unwrap().is_empty(), "{worker}");
        assert!(worker["processId"].as_u64().unwrap() > 1, "{worker}");
        for time in ["startedAt", "lastSeenAt"] {
            let time = worker[time].as_str().unwrap();
            assert!(
                chrono::DateTime::parse_from_rfc3339(time).is_ok(),
                "{worker}"
            );
        }
        for owned in worker["claims"].as_array().unwrap() {
            let step = owned["name"].as_str().unwrap();
            assert!(step.contains("Step"), "{worker}");
        }
    }
    assert!(
        shown
            .iter()
            .any(|worker| !worker["claims"].as_array().unwrap().is_empty()),
        "{shown:?}"
    );

    // One worker ends, and one is killed.
    fleet.workers.remove(0).end().succeeded();
    fleet.workers.remove(0).kill();
    let shown = registry(&env);
    assert!(!names(&shown).contains(expected[0].as_str()), "{shown:?}");
    let is_alive = |name: &str| {
        let registry = registry(&env);
        let worker = registry.iter().find(|worker| worker["name"] == name);
        worker.map(|worker| worker["isAlive"].as_bool().unwrap())
    };
    until("the killed worker to be listed as dead", || {
        is_alive(&expected[1]) == Some(false)
    });
    assert_eq!(is_alive(&expected[2]), Some(true));

    // A dead worker is deleted after a day.
    env.database.execute(&format!(
        "UPDATE worker SET last_seen_micros = last_seen_micros - 90000000000, \
         alive_until_micros = alive_until_micros - 90000000000 WHERE name = '{}'",
        expected[1]
    ));
    fleet.workers.push(Fleet::start(&env, 1).workers.remove(0));
    until("the dead worker to be deleted", || {
        is_alive(&expected[1]).is_none()
    });
    env.until_settled(1, "with the last of three");
    fleet.end();
    env.assert_all_complete(1, "with the last of three");
    assert_eq!(registry(&env), Vec::<serde_json::Value>::new());
}
