//! Crashes: what a lease that ran out leaves behind, and what it does not.

use crate::{
    hand::{Hand, undisturbed},
    world::{MICROS, Shape, World, date, even_day},
};
use balance_batch::status::BatchStatus;
use balance_domain::playback::Play;
use balance_store::claims::{Claimed, Reloaded};
use std::time::Duration;

const DAY: &str = "2024-06-01";

/// A world with a day of 300 plays of 40 videos.
async fn world() -> World {
    let world = World::new().await;
    world.import(&plays(), 1).await.unwrap();
    world
}

/// Waits for a condition.
async fn until(holds: impl AsyncFn() -> bool) {
    let held = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), held)
        .await
        .unwrap();
}

fn plays() -> Vec<Play> {
    even_day(DAY, 300, 40)
}

#[tokio::test(flavor = "multi_thread")]
async fn three_crashes_at_one_cursor_quarantine_a_partition_until_its_retry() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 3).await;
    let id = hand.partitions[1];
    for token in 1..=3 {
        hand.claim(id, token).await;
        assert_eq!(
            hand.count("SELECT COUNT(*) FROM step_expiry").await,
            token - 1
        );
        hand.let_leases_run_out().await;
    }
    let Claimed::Failed { reason, .. } = hand.try_claim(id, 4).await else {
        panic!("quarantined");
    };
    assert!(reason.contains("crashed 3 times"), "{reason}");
    let row = hand.row(id).await;
    assert_eq!((row.status, row.version), (BatchStatus::Failed, 4));
    assert_eq!(row.exit_message, reason);

    // The others go on, the job fails, and a restart leaves it FAILED.
    let execution = hand.finish(hand.job).await;
    assert_eq!(execution.status, BatchStatus::Failed);
    assert!(
        execution.exit_message.contains(&reason),
        "{}",
        execution.exit_message
    );
    for other in [hand.partitions[0], hand.partitions[2]] {
        assert_eq!(hand.row(other).await.status, BatchStatus::Completed);
    }
    let again = hand.launcher.restart(hand.job).await.unwrap().id;
    assert_eq!(hand.finish(again).await.status, BatchStatus::Failed);
    let steps = world.steps(again).await;
    let [manager, kept] = &steps[..] else {
        panic!("the manager and the quarantined partition: {steps:?}");
    };
    assert_eq!(
        (manager.status, kept.status),
        (BatchStatus::Failed, BatchStatus::Failed)
    );
    assert_eq!(
        (kept.exit_message.as_str(), kept.counters.commits),
        (reason.as_str(), 0)
    );

    // Its retry runs it with its count at 0: two crashes are no quarantine.
    let retried = hand.launcher.retry(kept.id).await.unwrap().id;
    let [fresh] = hand.claimable().await[..] else {
        panic!("the retried partition");
    };
    for token in 5..=6 {
        hand.claim(fresh, token).await;
        hand.let_leases_run_out().await;
    }
    assert_eq!(hand.finish(retried).await.status, BatchStatus::Completed);
    assert_eq!(world.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_clears_the_crash_count() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 1).await;
    let id = hand.partitions[0];
    for round in 0..3 {
        for token in 1..=2 {
            hand.claim(id, round * 10 + token).await;
            hand.let_leases_run_out().await;
        }
        let mut claim = hand.claim(id, round * 10 + 3).await;
        assert_eq!(hand.count("SELECT COUNT(*) FROM step_expiry").await, 2);
        hand.chunk(&mut claim, 2).await.unwrap();
        assert_eq!(hand.count("SELECT COUNT(*) FROM step_expiry").await, 0);
        world.store.release(&claim, 0).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_comes_back_alive_deletes_its_own_expiry_only() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 1).await;
    let id = hand.partitions[0];
    hand.claim(id, 1).await;
    hand.let_leases_run_out().await;
    let alive = hand.claim(id, 2).await;
    hand.let_leases_run_out().await;
    hand.claim(id, 3).await;
    assert_eq!(world.store.reload(&alive).await.unwrap(), Reloaded::Lost);
    let left = world.rows("SELECT claim_token FROM step_expiry").await;
    assert_eq!(left, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_context_fails_its_partition_with_the_reason() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 3).await;
    let id = hand.partitions[2];
    let damage = "UPDATE BATCH_STEP_EXECUTION_CONTEXT SET SHORT_CONTEXT = '{}'";
    world
        .sql(&format!("{damage} WHERE STEP_EXECUTION_ID = {id}"))
        .await;
    let execution = hand.finish(hand.job).await;
    assert_eq!(execution.status, BatchStatus::Failed);
    let row = hand.row(id).await;
    assert_eq!(row.status, BatchStatus::Failed);
    assert!(row.exit_message.contains("context"), "{}", row.exit_message);
    assert_eq!(
        hand.row(hand.partitions[0]).await.status,
        BatchStatus::Completed
    );
    assert_eq!(hand.count("SELECT COUNT(*) FROM step_lease").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_alone_lets_all_leases_run_out() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 4).await;
    for (token, id) in (1..).zip(&hand.partitions) {
        hand.claim(*id, token).await;
    }
    assert!(hand.claimable().await.is_empty());
    assert_eq!(world.store.expire_all_leases().await.unwrap(), 4);
    assert_eq!(hand.claimable().await, hand.partitions);
    assert_eq!(hand.finish(hand.job).await.status, BatchStatus::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_a_claim_back_is_no_crash() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 1).await;
    let id = hand.partitions[0];
    for token in 1..=5 {
        let claim = hand.claim(id, token).await;
        world.store.release(&claim, 0).await.unwrap();
        assert_eq!(hand.claimable().await, [id]);
    }
    let claim = hand.claim(id, 6).await;
    world.store.release(&claim, 1_000).await.unwrap();
    assert!(hand.claimable().await.is_empty());
    world.pass(MICROS).await;
    hand.claim(id, 7).await;
    assert_eq!(hand.count("SELECT COUNT(*) FROM step_expiry").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_crashes_of_the_closing_step_fail_the_job_and_a_restart_runs_it() {
    let world = world().await;
    let launcher = world.launcher(2);
    let job = launcher.launch(date(DAY)).await.unwrap().id;
    let hand = Hand {
        world: &world,
        launcher,
        job,
        partitions: Vec::new(),
    };
    let [step] = hand.claimable().await[..] else {
        panic!("closeDayStep alone is claimable");
    };
    for token in 1..=3 {
        hand.claim(step, token).await;
        hand.let_leases_run_out().await;
    }
    // The real worker finds it so, and ends the job.
    assert_eq!(hand.finish(job).await.status, BatchStatus::Failed);
    assert!(
        hand.row(step)
            .await
            .exit_message
            .contains("crashed 3 times")
    );
    let again = hand.launcher.launch(date(DAY)).await.unwrap();
    assert!(again.is_restart);
    assert_eq!(hand.finish(again.id).await.status, BatchStatus::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_asked_to_end_gives_its_claims_back() {
    let world = world().await;
    let shape = Shape {
        chunk_size: 1,
        ..Shape::default()
    };
    let (launcher, worker) = world.worker(shape).await;
    let job = launcher.launch(date(DAY)).await.unwrap().id;
    let written = "SELECT COUNT(*) FROM video_statistics";
    until(async || world.rows(written).await != ["0"]).await;
    assert!(worker.stop().await);
    let held = "SELECT COUNT(*) FROM step_lease WHERE claim_token IS NOT NULL";
    assert_eq!(world.rows(held).await, ["0"]);
    let (_, worker) = world.worker(shape).await;
    assert_eq!(world.wait(job).await.status, BatchStatus::Completed);
    assert!(worker.stop().await);
    assert!(world.rows("SELECT * FROM step_expiry").await.is_empty());
    assert_eq!(world.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_taken_over_from_live_workers_change_no_row() {
    let expected = undisturbed(&plays(), DAY).await;
    let mut taken_over = 0;
    // Nearly always once is enough.
    for _ in 0..10 {
        let world = world().await;
        // Each chunk leaves a lease that has run out, under an owner that is alive and goes on.
        world
            .meddle(
                "hasten",
                ("step_lease", "step_execution_id"),
                "OLD.claim_token = NEW.claim_token AND NEW.lease_until_micros > 0",
                ("lease_until_micros", "0"),
            )
            .await;
        let other = world.another().await;
        let shape = Shape {
            partitions: 10,
            chunk_size: 1,
            ..Shape::default()
        };
        let (launcher, one) = world.worker(shape).await;
        let (_, two) = other.worker(shape).await;
        let job = launcher.launch(date(DAY)).await.unwrap().id;
        let execution = world.wait(job).await;
        assert!(one.stop().await && two.stop().await);
        assert_eq!(
            execution.status,
            BatchStatus::Completed,
            "{}",
            execution.exit_message
        );
        assert_eq!(world.results().await, expected);
        for row in world.steps(job).await {
            if row.name.partition.is_some() {
                assert_eq!(
                    (row.counters.writes, row.counters.rollbacks),
                    (4, 0),
                    "{}",
                    row.name
                );
                // The first claim, and one version for each chunk: the rest are takeovers.
                taken_over += row.version - row.counters.commits - 1;
            }
        }
        if taken_over > 0 {
            return;
        }
    }
    panic!("no claim was taken over");
}
