//! Workers that are asked to end, and what the registry knows of them.

use crate::{
    common::program::until,
    fleet::{Fleet, Worker},
    place::Place,
    plays,
    servers::Servers,
    takeovers,
};
use std::collections::BTreeSet;

const DAY: &str = "2024-03-30";
/// Longer than any test: what waits for a lease to run out fails.
const FOR_EVER_S: u32 = 3_600;

/// A place where a day is settled slowly enough to be met in the middle.
fn slow() -> Place {
    let place = Place::new(&Servers::shared())
        .with("PARTITIONS", 8)
        .with("CHUNK_SIZE", 2)
        .with("WORKER_CONCURRENCY", 2)
        .with("BALANCE_LOG", "info");
    place.import(&plays::day(DAY, 2_000));
    takeovers::watch(&place);
    place
}

#[test]
fn a_worker_that_ends_gives_its_leases_back_and_others_go_on_at_once() {
    let place = slow().with("LEASE_S", FOR_EVER_S);
    let mut fleet = Fleet::start(&place, 2);
    let leaver = fleet.workers.remove(0);
    until("both workers to be at work", || {
        let is_at_work = |worker: &Worker| !worker.holds(&place).is_empty();
        is_at_work(&leaver) && is_at_work(&fleet.workers[0])
    });
    let name = leaver.name.clone();
    leaver.end().succeeded();
    let status = "SELECT STATUS FROM BATCH_JOB_EXECUTION";
    assert_eq!(
        place.database.value(status),
        "STARTED",
        "it ended in the middle"
    );
    let held = format!("SELECT COUNT(*) FROM step_lease WHERE worker = '{name}'");
    assert_eq!(
        place.database.number(&held),
        0,
        "leases of a worker that ended"
    );
    place.until_settled(1, "after one worker's end");
    assert_eq!(takeovers::count(&place), 0, "leases that ran out");
    fleet.end();
    place.assert_all_complete(1, "after one worker's end");
}

#[test]
fn a_second_sigterm_ends_a_worker_at_once() {
    let place = slow().with("LEASE_S", 2).with("GRACE_S", FOR_EVER_S);
    let mut worker = Fleet::start(&place, 1).workers.remove(0);
    // No chunk can be written: the worker waits for its chunks, and would for an hour.
    let gate = place.another_connection();
    until("a claim", || !worker.holds(&place).is_empty());
    gate.execute("LOCK TABLES video_statistics READ");
    let waiting = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                   WHERE DB = DATABASE() AND STATE LIKE 'Waiting for table metadata lock%'";
    until("chunks to stand at the gate", || {
        place.database.number(waiting) == 2
    });
    // Two that come at once may be taken for one.
    until("the worker's end", || {
        worker.signal("TERM");
        worker.has_ended()
    });
    let name = worker.name.clone();
    let outcome = worker.wait().failed(&["ended at once"]);
    assert_eq!(outcome.status.code(), Some(143), "{outcome:#?}");
    let held = format!("SELECT COUNT(*) FROM step_lease WHERE worker = '{name}'");
    assert_eq!(place.database.number(&held), 2, "leases that run out");
    gate.execute("UNLOCK TABLES");

    let fleet = Fleet::start(&place, 2);
    place.until_settled(1, "after a worker that did not wait");
    assert!(takeovers::count(&place) >= 2);
    fleet.end();
    place.assert_all_complete(1, "after a worker that did not wait");
}

/// What `balance workers --json` shows.
fn registry(place: &Place) -> Vec<serde_json::Value> {
    let shown = place.balance(&["workers", "--json"]).run().succeeded();
    shown.json().as_array().unwrap().clone()
}

fn names(registry: &[serde_json::Value]) -> BTreeSet<&str> {
    let names = registry.iter().map(|worker| worker["name"].as_str());
    names.map(Option::unwrap).collect()
}

#[test]
fn the_registry_shows_who_works_and_who_was_killed() {
    let place = slow().with("LEASE_S", 2);
    let mut fleet = Fleet::start(&place, 3);
    until("all workers to be at work", || {
        fleet
            .workers
            .iter()
            .all(|worker| !worker.holds(&place).is_empty())
    });
    let shown = registry(&place);
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
        for held in worker["holds"].as_array().unwrap() {
            let step = held["stepName"].as_str().unwrap();
            assert!(step.contains("Step"), "{worker}");
        }
    }
    assert!(
        shown
            .iter()
            .any(|worker| !worker["holds"].as_array().unwrap().is_empty()),
        "{shown:?}"
    );

    // One ends, one dies.
    fleet.workers.remove(0).end().succeeded();
    fleet.workers.remove(0).kill();
    let shown = registry(&place);
    assert!(!names(&shown).contains(expected[0].as_str()), "{shown:?}");
    let is_alive = |name: &str| {
        let registry = registry(&place);
        let worker = registry.iter().find(|worker| worker["name"] == name);
        worker.map(|worker| worker["isAlive"].as_bool().unwrap())
    };
    until("a killed worker to count as dead", || {
        is_alive(&expected[1]) == Some(false)
    });
    assert_eq!(is_alive(&expected[2]), Some(true));

    // A day later it is forgotten.
    place.database.execute(&format!(
        "UPDATE worker SET last_seen_micros = last_seen_micros - 90000000000, \
         alive_until_micros = alive_until_micros - 90000000000 WHERE name = '{}'",
        expected[1]
    ));
    fleet
        .workers
        .push(Fleet::start(&place, 1).workers.remove(0));
    until("a dead worker to be forgotten", || {
        is_alive(&expected[1]).is_none()
    });
    place.until_settled(1, "with the last of three");
    fleet.end();
    place.assert_all_complete(1, "with the last of three");
    assert_eq!(registry(&place), Vec::<serde_json::Value>::new());
}
