//! Crashes: the effects of expired leases.

use crate::test_worker::{TestWorker, undisturbed};
use balance_batch::status::BatchStatus;
use balance_domain::playback::Play;
use balance_store::claims::{Claimed, Reloaded};
use balance_test_support::settlement::{MICROS, Shape, TestEnv, date, even_day};
use std::time::Duration;

const DAY: &str = "2024-06-01";

/// Creates an environment with a day of 300 plays of 40 videos.
async fn env() -> TestEnv {
    let env = TestEnv::new().await;
    env.import(&plays(), 1).await.unwrap();
    env
}

/// Waits until a condition is true, at most 20 seconds.
async fn until(is_true: impl AsyncFn() -> bool) {
    let waited = async {
        while !is_true().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited)
        .await
        .unwrap();
}

fn plays() -> Vec<Play> {
    even_day(DAY, 300, 40)
}

#[tokio::test(flavor = "multi_thread")]
async fn three_crashes_at_one_cursor_quarantine_a_partition_until_its_retry() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 3).await;
    let id = test_worker.partitions[1];
    for token in 1..=3 {
        test_worker.claim(id, token).await;
        assert_eq!(
            test_worker.count("SELECT COUNT(*) FROM step_expiry").await,
            token - 1
        );
        test_worker.expire_leases().await;
    }
    let Claimed::Failed { reason, .. } = test_worker.try_claim(id, 4).await else {
        panic!("quarantined");
    };
    assert!(reason.contains("crashed 3 times"), "{reason}");
    let row = test_worker.row(id).await;
    assert_eq!((row.status, row.version), (BatchStatus::Failed, 4));
    assert_eq!(row.exit_message, reason);

    // The other partitions continue, the job fails, and a restart leaves the partition FAILED.
    let execution = test_worker.finish(test_worker.job).await;
    assert_eq!(execution.status, BatchStatus::Failed);
    assert!(
        execution.exit_message.contains(&reason),
        "{}",
        execution.exit_message
    );
    for other in [test_worker.partitions[0], test_worker.partitions[2]] {
        assert_eq!(test_worker.row(other).await.status, BatchStatus::Completed);
    }
    let again = test_worker
        .launcher
        .restart(test_worker.job)
        .await
        .unwrap()
        .id;
    assert_eq!(test_worker.finish(again).await.status, BatchStatus::Failed);
    let steps = env.steps(again).await;
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

    // A retry resets the count of crashes: two further crashes are no quarantine.
    let retried = test_worker.launcher.retry(kept.id).await.unwrap().id;
    let [fresh] = test_worker.claimable().await[..] else {
        panic!("the retried partition");
    };
    for token in 5..=6 {
        test_worker.claim(fresh, token).await;
        test_worker.expire_leases().await;
    }
    assert_eq!(
        test_worker.finish(retried).await.status,
        BatchStatus::Completed
    );
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_clears_the_crash_count() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 1).await;
    let id = test_worker.partitions[0];
    for round in 0..3 {
        for token in 1..=2 {
            test_worker.claim(id, round * 10 + token).await;
            test_worker.expire_leases().await;
        }
        let mut claim = test_worker.claim(id, round * 10 + 3).await;
        assert_eq!(
            test_worker.count("SELECT COUNT(*) FROM step_expiry").await,
            2
        );
        test_worker.chunk(&mut claim, 2).await.unwrap();
        assert_eq!(
            test_worker.count("SELECT COUNT(*) FROM step_expiry").await,
            0
        );
        env.store.release(&claim, 0).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_returns_deletes_only_its_own_expiry() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 1).await;
    let id = test_worker.partitions[0];
    test_worker.claim(id, 1).await;
    test_worker.expire_leases().await;
    let alive = test_worker.claim(id, 2).await;
    test_worker.expire_leases().await;
    test_worker.claim(id, 3).await;
    assert_eq!(env.store.reload(&alive).await.unwrap(), Reloaded::Lost);
    let left = env.rows("SELECT claim_token FROM step_expiry").await;
    assert_eq!(left, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_context_fails_its_partition_with_the_reason() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 3).await;
    let id = test_worker.partitions[2];
    let damage = "UPDATE BATCH_STEP_EXECUTION_CONTEXT SET SHORT_CONTEXT = '{}'";
    env.execute(&format!("{damage} WHERE STEP_EXECUTION_ID = {id}"))
        .await;
    let execution = test_worker.finish(test_worker.job).await;
    assert_eq!(execution.status, BatchStatus::Failed);
    let row = test_worker.row(id).await;
    assert_eq!(row.status, BatchStatus::Failed);
    assert!(row.exit_message.contains("context"), "{}", row.exit_message);
    assert_eq!(
        test_worker.row(test_worker.partitions[0]).await.status,
        BatchStatus::Completed
    );
    assert_eq!(
        test_worker.count("SELECT COUNT(*) FROM step_lease").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_process_expires_all_leases() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 4).await;
    for (token, id) in (1..).zip(&test_worker.partitions) {
        test_worker.claim(*id, token).await;
    }
    assert!(test_worker.claimable().await.is_empty());
    assert_eq!(env.store.expire_all_leases().await.unwrap(), 4);
    assert_eq!(test_worker.claimable().await, test_worker.partitions);
    assert_eq!(
        test_worker.finish(test_worker.job).await.status,
        BatchStatus::Completed
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_claim_is_no_crash() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 1).await;
    let id = test_worker.partitions[0];
    for token in 1..=5 {
        let claim = test_worker.claim(id, token).await;
        env.store.release(&claim, 0).await.unwrap();
        assert_eq!(test_worker.claimable().await, [id]);
    }
    let claim = test_worker.claim(id, 6).await;
    env.store.release(&claim, 1_000).await.unwrap();
    assert!(test_worker.claimable().await.is_empty());
    env.advance(MICROS).await;
    test_worker.claim(id, 7).await;
    assert_eq!(
        test_worker.count("SELECT COUNT(*) FROM step_expiry").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn three_crashes_of_the_closing_step_fail_the_job_and_a_restart_runs_it() {
    let env = env().await;
    let launcher = env.launcher(2);
    let job = launcher.launch(date(DAY)).await.unwrap().id;
    let test_worker = TestWorker {
        env: &env,
        launcher,
        job,
        partitions: Vec::new(),
    };
    let [step] = test_worker.claimable().await[..] else {
        panic!("closeDayStep alone is claimable");
    };
    for token in 1..=3 {
        test_worker.claim(step, token).await;
        test_worker.expire_leases().await;
    }
    // The real worker ends the job.
    assert_eq!(test_worker.finish(job).await.status, BatchStatus::Failed);
    assert!(
        test_worker
            .row(step)
            .await
            .exit_message
            .contains("crashed 3 times")
    );
    let again = test_worker.launcher.launch(date(DAY)).await.unwrap();
    assert!(again.is_restart);
    assert_eq!(
        test_worker.finish(again.id).await.status,
        BatchStatus::Completed
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_asked_to_end_releases_its_claims() {
    let env = env().await;
    let shape = Shape {
        chunk_size: 1,
        ..Shape::default()
    };
    let (launcher, worker) = env.worker(shape).await;
    let job = launcher.launch(date(DAY)).await.unwrap().id;
    let written = "SELECT COUNT(*) FROM video_statistics";
    until(async || env.rows(written).await != ["0"]).await;
    assert!(worker.stop().await);
    let owned = "SELECT COUNT(*) FROM step_lease WHERE claim_token IS NOT NULL";
    assert_eq!(env.rows(owned).await, ["0"]);
    let (_, worker) = env.worker(shape).await;
    assert_eq!(env.wait(job).await.status, BatchStatus::Completed);
    assert!(worker.stop().await);
    assert!(env.rows("SELECT * FROM step_expiry").await.is_empty());
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_taken_over_from_live_workers_change_no_row() {
    let expected = undisturbed(&plays(), DAY).await;
    let mut taken_over = 0;
    // One attempt nearly always suffices.
    for _ in 0..10 {
        let env = env().await;
        // Each chunk leaves an expired lease, whose owner is alive and continues.
        env.set_on_update(
            "hasten",
            ("step_lease", "step_execution_id"),
            "OLD.claim_token = NEW.claim_token AND NEW.lease_until_micros > 0",
            ("lease_until_micros", "0"),
        )
        .await;
        let other = env.reopen().await;
        let shape = Shape {
            partitions: 10,
            chunk_size: 1,
            ..Shape::default()
        };
        let (launcher, one) = env.worker(shape).await;
        let (_, two) = other.worker(shape).await;
        let job = launcher.launch(date(DAY)).await.unwrap().id;
        let execution = env.wait(job).await;
        assert!(one.stop().await && two.stop().await);
        assert_eq!(
            execution.status,
            BatchStatus::Completed,
            "{}",
            execution.exit_message
        );
        assert_eq!(env.results().await, expected);
        for row in env.steps(job).await {
            if row.name.partition.is_some() {
                assert_eq!(
                    (row.counters.writes, row.counters.rollbacks),
                    (4, 0),
                    "{}",
                    row.name
                );
                // One version for the first claim and one for each chunk; the others are takeovers.
                taken_over += row.version - row.counters.commits - 1;
            }
        }
        if taken_over > 0 {
            return;
        }
    }
    panic!("no claim was taken over");
}
