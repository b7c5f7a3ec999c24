//! Crashes: what a lease that ran out leaves behind, and what it does not.

use crate::{
    env::{MICROS, Shape, TestEnv, date, even_day},
    test_worker::{TestWorker, undisturbed},
};
use balance_batch::status::BatchStatus;
use balance_domain::playback::Play;
use balance_store::claims::{Claimed, Reloaded};
use std::time::Duration;

const DAY: &str = "2024-06-01";

/// A world with a day of 300 plays of 40 videos.
async fn env() -> TestEnv {
    let env = TestEnv::new().await;
    env.import(&plays(), 1).await.unwrap();
    env
}

/// Waits for a condition.
async fn until(claims: impl AsyncFn() -> bool) {
    let owned = async {
        while !claims().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), owned)
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

    // The others go on, the job fails, and a restart leaves it FAILED.
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

    // Its retry runs it with its count at 0: two crashes are no quarantine.
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
async fn an_owner_that_comes_back_alive_deletes_its_own_expiry_only() {
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
    env.sql(&format!("{damage} WHERE STEP_EXECUTION_ID = {id}"))
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
async fn a_process_alone_lets_all_leases_run_out() {
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
async fn giving_a_claim_back_is_no_crash() {
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
    env.pass(MICROS).await;
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
    // The real worker finds it so, and ends the job.
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
async fn a_worker_that_is_asked_to_end_gives_its_claims_back() {
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
    // Nearly always once is enough.
    for _ in 0..10 {
        let env = env().await;
        // Each chunk leaves a lease that has run out, under an owner that is alive and goes on.
        env.meddle(
            "hasten",
            ("step_lease", "step_execution_id"),
            "OLD.claim_token = NEW.claim_token AND NEW.lease_until_micros > 0",
            ("lease_until_micros", "0"),
        )
        .await;
        let other = env.another().await;
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
