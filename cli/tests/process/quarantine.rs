//! A partition whose workers die at one cursor again and again is set aside, and says so.

use crate::{
    dump::assert_same,
    harness::{Call, Place},
    plays::{assert_all_complete, imported_days, undisturbed},
};

const CLAIMED: &str = "SELECT STATUS, COMMIT_COUNT FROM BATCH_STEP_EXECUTION \
                       WHERE STEP_NAME = 'dayStatisticsStep:partition0'";

fn call(place: &Place, args: &[&str]) -> Call {
    place
        .balance(args)
        .env("PARTITIONS", 1)
        .env("WORKER_CONCURRENCY", 1)
}

/// Kills a run after the commit that claims the partition, before its first chunk.
fn killed_at_the_claim(place: &Place, deaths: usize) -> Place {
    (1..40)
        .find_map(|commit| {
            let place = place.copy();
            let outcome = call(&place, &["settle"])
                .env("BALANCE_KILL_AT", format!("after:{commit}"))
                .run();
            assert!(outcome.was_killed(), "{outcome:#?}");
            // A claim writes down the death before it; the first has none before it.
            let expiries = place.value("SELECT COUNT(*) FROM step_expiry");
            let is_claimed = place.rows(CLAIMED) == ["STARTED|0"];
            (is_claimed && expiries == deaths.to_string()).then_some(place)
        })
        .expect("a claim is among the first commits")
}

#[test]
fn three_deaths_at_one_cursor_quarantine_a_partition_until_its_retry() {
    let unsettled = imported_days(&["2024-03-30"], 10);
    let expected = undisturbed(&unsettled);
    let mut place = unsettled;
    for deaths in 0..3 {
        place = killed_at_the_claim(&place, deaths);
    }

    let outcome = call(&place, &["settle"]).run().failed(&[]);
    let reason = "quarantined: its workers crashed 3 times at the beginning";
    assert!(outcome.stdout.contains("FAILED"), "{outcome:#?}");
    assert!(outcome.stdout.contains(reason), "{outcome:#?}");
    assert_eq!(
        place.rows("SELECT STATUS FROM BATCH_JOB_EXECUTION"),
        ["FAILED"]
    );
    assert_eq!(place.value("SELECT COUNT(*) FROM step_lease"), "0");

    // A restart leaves it where it is.
    let outcome = call(&place, &["settle"]).run().failed(&[]);
    assert!(outcome.stdout.contains("FAILED"), "{outcome:#?}");
    let of_newest = "WHERE STEP_NAME = 'dayStatisticsStep:partition0' \
                     ORDER BY STEP_EXECUTION_ID DESC LIMIT 1";
    let message = format!("SELECT STATUS, EXIT_MESSAGE FROM BATCH_STEP_EXECUTION {of_newest}");
    let message = place.value(&message);
    assert!(message.starts_with("FAILED|"), "{message}");
    assert!(message.contains("quarantined"), "{message}");

    // A retry runs it.
    let id = format!("SELECT STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION {of_newest}");
    call(&place, &["jobs", "retry", &place.value(&id)])
        .run()
        .succeeded();
    assert_same(&place.results(), &expected, "after the retry");
    let newest = place.rows("SELECT STATUS FROM BATCH_JOB_EXECUTION ORDER BY 1");
    assert_eq!(newest, ["COMPLETED", "FAILED", "FAILED"]);
    assert_eq!(place.value("SELECT COUNT(*) FROM step_lease"), "0");
}

#[test]
fn two_deaths_and_progress_quarantine_nothing() {
    let unsettled = imported_days(&["2024-03-30"], 10);
    let expected = undisturbed(&unsettled);
    let mut place = unsettled;
    for deaths in 0..2 {
        place = killed_at_the_claim(&place, deaths);
    }
    call(&place, &["settle"]).run().succeeded();
    assert_all_complete(&place, 1);
    assert_same(&place.results(), &expected, "after two deaths");
    assert_eq!(place.value("SELECT COUNT(*) FROM step_quarantine"), "0");
}
