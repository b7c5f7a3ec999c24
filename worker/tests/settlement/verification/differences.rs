//! `verify` reports no difference for any state that the engine leaves.

use crate::{
    test_worker::TestWorker,
    verification::fixtures::{
        ALL, DAY, LATER, NEXT, assert_clean, differences, imported, lines, run_verify, settle,
        settled, shape,
    },
};
use balance_batch::status::BatchStatus;
use balance_domain::clock::Clock;
use balance_service::verification::Options;
use balance_test_support::{
    day_job::partitioned_steps,
    settlement::{MICROS, Shape, TestEnv, date},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_is_clean() {
    let env = TestEnv::new().await;
    let verified = run_verify(&env, ALL).await;
    assert!(verified.findings.is_clean());
    assert_eq!((verified.days, verified.executions), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_days_are_clean_and_counted() {
    let env = settled().await;
    let verified = run_verify(&env, ALL).await;
    assert_eq!(lines(&verified), [""; 0]);
    assert_eq!((verified.days, verified.settled_days), (3, 3));
    // Includes the video with a play of its owner only, which has no row.
    assert_eq!((verified.videos, verified.executions), (3 * 41, 3));
    // One week and two months.
    assert_eq!((verified.period_rows, verified.pruned), (3 * 40, 0));
    let some = Options {
        from: Some(date(NEXT)),
        to: Some(date(NEXT)),
        limit: 20,
    };
    let verified = run_verify(&env, some).await;
    assert_eq!(lines(&verified), [""; 0]);
    assert_eq!((verified.days, verified.executions), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn unsettled_history_and_days_without_plays_are_clean() {
    let env = imported(&[DAY, LATER]).await;
    assert_clean(&env, "nothing settled").await;
    settle(&env, DAY, 0).await;
    settle(&env, NEXT, 0).await;
    assert_clean(&env, "a day without plays").await;
    assert_eq!(run_verify(&env, ALL).await.days, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_is_clean_at_each_of_its_moments() {
    let env = imported(&[DAY, NEXT]).await;
    settle(&env, DAY, 0).await;
    let test_worker = TestWorker::launch(&env, NEXT, 3).await;
    assert_clean(&env, "planned").await;
    let mut claim = test_worker.claim(test_worker.partitions[0], 1).await;
    assert_clean(&env, "claimed").await;
    test_worker.chunk(&mut claim, 5).await.unwrap();
    assert_clean(&env, "a chunk").await;
    test_worker.expire_leases().await;
    test_worker.claim(test_worker.partitions[0], 2).await;
    assert_clean(&env, "taken over").await;
    test_worker.launcher.stop(test_worker.job).await.unwrap();
    assert_clean(&env, "stopping").await;
    test_worker.expire_leases().await;
    test_worker.launcher.advance(test_worker.job).await.unwrap();
    let stopped = env.wait(test_worker.job).await;
    assert_eq!(stopped.status, BatchStatus::Stopped);
    assert_clean(&env, "stopped").await;
    settle(&env, NEXT, 0).await;
    assert_clean(&env, "restarted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_each_step_is_clean_and_so_is_what_follows() {
    for step in partitioned_steps() {
        for abandons in [false, true] {
            let env = imported(&[DAY, NEXT]).await;
            settle(&env, DAY, 0).await;
            env.trigger(
                "stop",
                ("BATCH_STEP_EXECUTION", "COMMIT_COUNT"),
                &format!("NEW.STEP_NAME = '{step}:partition1' AND NEW.COMMIT_COUNT = 1"),
                "UPDATE BATCH_JOB_EXECUTION SET STATUS = 'STOPPING' \
                     WHERE JOB_EXECUTION_ID = NEW.JOB_EXECUTION_ID;",
            )
            .await;
            let stopped = env.settle(date(NEXT), shape(0)).await.unwrap();
            assert_eq!(stopped.status, BatchStatus::Stopped, "{step}");
            env.execute("DROP TRIGGER stop").await;
            assert_clean(&env, &format!("stopped in {step}")).await;
            if abandons {
                env.launcher(4).abandon(stopped.id).await.unwrap();
                assert_clean(&env, &format!("abandoned in {step}")).await;
                // Another number of partitions has other ranges.
                let other = Shape {
                    partitions: 7,
                    ..shape(0)
                };
                let ended = env.settle(date(NEXT), other).await.unwrap();
                assert_eq!(ended.status, BatchStatus::Completed);
            } else {
                settle(&env, NEXT, 0).await;
            }
            assert_clean(
                &env,
                &format!("{step} and its continuation, abandoned: {abandons}"),
            )
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rolled_back_failed_and_skipped_videos_are_no_differences() {
    let env = imported(&[DAY, NEXT]).await;
    env.execute(
        "UPDATE play_history SET play_time = -7 WHERE video_id IN (15, 33) AND user_id < 41",
    )
    .await;
    let failed = env.settle(date(DAY), shape(0)).await.unwrap();
    assert_eq!(failed.status, BatchStatus::Failed);
    assert_clean(&env, "failed").await;
    let failed = env.settle(date(DAY), shape(1)).await.unwrap();
    assert_eq!(failed.status, BatchStatus::Failed);
    assert_clean(&env, "failed again").await;
    settle(&env, DAY, 2).await;
    assert_clean(&env, "skipped").await;
    settle(&env, NEXT, 2).await;
    assert_clean(&env, "held").await;
    let skipped = env.rows("SELECT COUNT(*) FROM rejected_item").await;
    assert_eq!(skipped, ["8"]);
    // A later repair of the history does not end the hold.
    env.execute("UPDATE play_history SET play_time = 10 WHERE play_time < 0")
        .await;
    assert_clean(&env, "repaired").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_rejected_by_the_database_and_unpaid_rows_are_no_differences() {
    let env = imported(&[DAY, NEXT]).await;
    env.reject_inserts("video_statistics", "NEW.video_id = 15", "not this one")
        .await;
    settle(&env, DAY, 1).await;
    assert_clean(&env, "rejected").await;
    env.execute("DROP TRIGGER reject").await;
    env.reject_inserts("video_revenue", "NEW.video_id = 16", "not this one")
        .await;
    settle(&env, NEXT, 2).await;
    assert_clean(&env, "unpaid").await;
    let rows = "SELECT COUNT(*) FROM video_revenue WHERE video_id IN (15, 16)";
    assert_eq!(env.rows(rows).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sum_beyond_64_bits_is_read_and_its_skip_is_no_difference() {
    let env = imported(&[DAY]).await;
    env.execute("UPDATE play_history SET play_time = 9223372036854775807 WHERE video_id = 15")
        .await;
    settle(&env, DAY, 1).await;
    assert_clean(&env, "too long").await;
    env.execute("UPDATE play_history SET play_time = 11 WHERE video_id = 16 AND user_id = 16")
        .await;
    let found = differences(&env).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with(
            "statistics: video_statistics (date 2024-05-27, video 16) total_play_time"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_partition_and_its_retry_are_clean() {
    let env = imported(&[DAY]).await;
    let test_worker = TestWorker::launch(&env, DAY, 3).await;
    let id = test_worker.partitions[1];
    for token in 1..=3 {
        test_worker.claim(id, token).await;
        test_worker.expire_leases().await;
    }
    test_worker.try_claim(id, 4).await;
    assert_clean(&env, "quarantined").await;
    let failed = test_worker.finish(test_worker.job).await;
    assert_eq!(failed.status, BatchStatus::Failed);
    assert_clean(&env, "the others done").await;
    let again = env.settle(date(DAY), shape(0)).await.unwrap();
    assert_eq!(again.status, BatchStatus::Failed);
    assert_clean(&env, "still quarantined").await;
    let row = env
        .steps(again.id)
        .await
        .into_iter()
        .find(|step| step.name.partition == Some(1))
        .unwrap();
    let (launcher, worker) = env.worker(shape(0)).await;
    let launched = launcher.retry(row.id).await.unwrap();
    let ended = env.wait(launched.id).await;
    assert!(worker.stop().await);
    assert_eq!(ended.status, BatchStatus::Completed);
    assert_clean(&env, "retried").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_balances_and_versions_of_the_rates_are_verified() {
    let env = imported(&[DAY, NEXT, LATER]).await;
    for (video, views, ad_views) in [(7, 99_998, 499_999), (8, 1_000_000, 0), (900, 5, 5)] {
        env.execute(&format!(
            "INSERT INTO opening_balance VALUES ({video}, {views}, {ad_views})"
        ))
        .await;
    }
    env.execute(&format!(
        "INSERT INTO revenue_rate VALUES ('{NEXT}', 'VIDEO', 0, 99999, 3333333), \
             ('{NEXT}', 'VIDEO', 100000, NULL, 1), ('{NEXT}', 'AD', 0, NULL, 7654321)"
    ))
    .await;
    for day in [DAY, NEXT, LATER] {
        settle(&env, day, 0).await;
    }
    assert_clean(&env, "balances and rates").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pruned_executions_are_counted_and_no_difference() {
    let env = imported(&[DAY, NEXT]).await;
    let test_worker = TestWorker::launch(&env, DAY, 3).await;
    test_worker.launcher.stop(test_worker.job).await.unwrap();
    test_worker.launcher.advance(test_worker.job).await.unwrap();
    for day in [DAY, NEXT] {
        settle(&env, day, 0).await;
    }
    let later = env.clock.now_micros() + 1_000 * MICROS;
    let later = chrono::DateTime::from_timestamp_micros(later).unwrap();
    // One execution at a time: the database is clean in between.
    let mut pruned = 0;
    while env.store.prune_oldest(later.naive_utc()).await.unwrap() {
        pruned += 1;
        assert_clean(&env, &format!("{pruned} pruned")).await;
    }
    assert_eq!(pruned, 3);
    assert_eq!(run_verify(&env, ALL).await.pruned, 2);
    env.execute("UPDATE video_statistics SET view_count = view_count + 1 WHERE video_id = 3")
        .await;
    assert!(!run_verify(&env, ALL).await.findings.is_clean());
}
