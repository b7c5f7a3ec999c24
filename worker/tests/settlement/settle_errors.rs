//! Videos that cannot be settled: they are isolated, reported and never skipped silently.

use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    status::{BatchStatus, ExitCode},
    step::StepExecution,
};
use balance_domain::{playback::Play, videos::VideoId};
use balance_test_support::settlement::{Shape, TestEnv, date, even_day};

/// A Monday and the day after.
const DAY: &str = "2024-06-03";
const NEXT: &str = "2024-06-04";

/// Four partitions of ten videos each, in chunks of 4, 4 and 2.
fn shape(skip_limit: u32) -> Shape {
    Shape {
        partitions: 4,
        chunk_size: 4,
        concurrency: 2,
        skip_limit,
    }
}

fn plays(day: &str) -> Vec<Play> {
    even_day(day, 200, 40)
}

async fn env() -> TestEnv {
    imported(|_| true).await
}

/// Imports the plays of both days that a condition selects.
async fn imported(is_selected: fn(&Play) -> bool) -> TestEnv {
    let env = TestEnv::new().await;
    for day in [DAY, NEXT] {
        let mut plays = plays(day);
        plays.retain(is_selected);
        env.import(&plays, 1).await.unwrap();
    }
    env
}

/// Returns the results of a run without faults.
async fn healthy(days: &[&str]) -> Vec<String> {
    let env = env().await;
    for day in days {
        env.settle(date(day), shape(0)).await.unwrap();
    }
    env.results().await
}

async fn step(env: &TestEnv, id: JobExecutionId, name: &str) -> StepExecution {
    let steps = env.steps(id).await;
    steps
        .into_iter()
        .find(|step| step.name.to_string() == name)
        .unwrap()
}

async fn rejected(env: &TestEnv) -> Vec<String> {
    let sql =
        "SELECT step_name, video_id, date, reason FROM rejected_item ORDER BY date, step_name";
    env.rows(sql).await
}

fn assert_ended(execution: &JobExecution, status: BatchStatus, code: &ExitCode) {
    let ended = (execution.status, &execution.exit_code);
    assert_eq!(ended, (status, code), "{}", execution.exit_message);
}

/// Faults of video 15: the statement that injects it, the repair, and the reason.
const FAULTS: [(&str, &str, &str); 4] = [
    (
        "UPDATE play_history SET play_time = -7 WHERE video_id = 15 AND user_id = 15",
        "UPDATE play_history SET play_time = 10 WHERE play_time < 0",
        "negative seconds in the history: -7",
    ),
    (
        "DELETE FROM video WHERE id = 15",
        "INSERT INTO video (id, owner_id, title, duration_s, created_at) SELECT 15, owner_id, title, duration_s, created_at FROM video WHERE id = 14",
        "no such video",
    ),
    (
        "UPDATE play_history SET play_time = 9223372036854775807 WHERE video_id = 15",
        "UPDATE play_history SET play_time = 10 WHERE video_id = 15",
        "the sum of seconds does not fit into 64 bits",
    ),
    (
        "INSERT INTO opening_balance VALUES (15, 9223372036854775805, 0)",
        "DELETE FROM opening_balance",
        "the lifetime view count does not fit into 64 bits",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn without_a_skip_limit_an_unsettleable_video_fails_only_its_partition() {
    let expected = healthy(&[DAY]).await;
    for (fault, repair, reason) in FAULTS {
        let env = env().await;
        env.execute(fault).await;
        let failed = env.settle(date(DAY), shape(0)).await.unwrap();
        assert_ended(&failed, BatchStatus::Failed, &ExitCode::FAILED);
        let row = step(&env, failed.id, "dayStatisticsStep:partition1").await;
        assert_eq!(
            (row.status, &row.exit_code),
            (BatchStatus::Failed, &ExitCode::FAILED)
        );
        let cause = format!("video 15: {reason}");
        assert!(row.exit_message.contains(&cause), "{}", row.exit_message);
        assert!(
            failed.exit_message.contains(&cause),
            "{}",
            failed.exit_message
        );

        // The first chunk stays. Of the second chunk only the count of its reads stays.
        let counters = row.counters;
        assert_eq!((counters.commits, counters.writes), (1, 4), "{reason}");
        assert_eq!((counters.reads, counters.rollbacks), (8, 1), "{reason}");
        assert_eq!(counters.skips(), 0);
        let written = "SELECT COUNT(*), MAX(video_id) FROM video_statistics \
             WHERE video_id BETWEEN 11 AND 20";
        assert_eq!(env.rows(written).await, ["4|14"], "{reason}");
        assert!(rejected(&env).await.is_empty());
        for other in [0, 2, 3] {
            let name = format!("dayStatisticsStep:partition{other}");
            assert_eq!(
                step(&env, failed.id, &name).await.status,
                BatchStatus::Completed
            );
        }

        env.execute(repair).await;
        let ended = env.settle(date(DAY), shape(0)).await.unwrap();
        assert_ended(&ended, BatchStatus::Completed, &ExitCode::COMPLETED);
        assert_eq!(env.results().await, expected, "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn within_the_limit_a_video_is_skipped_recorded_and_held() {
    let other = imported(|play| play.video_id != VideoId(15)).await;
    for day in [DAY, NEXT] {
        other.settle(date(day), shape(0)).await.unwrap();
    }
    let without = other.results().await;
    for (fault, repair, reason) in FAULTS {
        let env = env().await;
        env.execute(fault).await;
        let execution = env.settle(date(DAY), shape(1)).await.unwrap();
        assert_ended(
            &execution,
            BatchStatus::Completed,
            &ExitCode::COMPLETED_WITH_SKIPS,
        );
        let held = format!("held: its statistics of {DAY} were skipped and are still missing");
        let expected = [
            format!("partitionedDayRevenueStep|15|{DAY}|{held}"),
            format!("partitionedDayStatisticsStep|15|{DAY}|{reason}"),
        ];
        assert_eq!(rejected(&env).await, expected);
        let steps = env.steps(execution.id).await;
        for row in &steps {
            assert_eq!(row.exit_code, ExitCode::COMPLETED, "{}", row.name);
        }
        for name in ["partitionedDayStatisticsStep", "partitionedDayRevenueStep"] {
            let manager = step(&env, execution.id, name).await;
            let counters = manager.counters;
            assert_eq!((counters.process_skips, counters.skips()), (1, 1), "{name}");
            assert_eq!((counters.reads, counters.writes), (40, 39), "{name}");
            assert_eq!(counters.rollbacks, 0);
        }

        // The next day holds the video too, even after the repair: its chain has a gap.
        env.execute(repair).await;
        let later = env.settle(date(NEXT), shape(0)).await.unwrap();
        assert_ended(&later, BatchStatus::Failed, &ExitCode::FAILED);
        assert!(later.exit_message.contains(&held), "{}", later.exit_message);
        let later = env.settle(date(NEXT), shape(1)).await.unwrap();
        assert_ended(
            &later,
            BatchStatus::Completed,
            &ExitCode::COMPLETED_WITH_SKIPS,
        );
        let later_held = &rejected(&env).await[2..];
        assert!(later_held[1].contains(&format!("15|{NEXT}|held: its statistics of {DAY}")));
        assert_eq!(env.results().await, without, "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_counts_over_all_partitions() {
    let env = env().await;
    env.execute("UPDATE play_history SET play_time = -1 WHERE video_id IN (5, 15, 25)")
        .await;
    let failed = env.settle(date(DAY), shape(2)).await.unwrap();
    assert_ended(&failed, BatchStatus::Failed, &ExitCode::FAILED);
    assert_eq!(rejected(&env).await.len(), 2);
    let steps = env.steps(failed.id).await;
    let count = |status| {
        let is = |step: &&StepExecution| step.name.partition.is_some() && step.status == status;
        steps.iter().filter(is).count()
    };
    assert_eq!(
        (count(BatchStatus::Completed), count(BatchStatus::Failed)),
        (3, 1)
    );
    assert!(
        failed.exit_message.contains("skip limit of 2 exceeded"),
        "{}",
        failed.exit_message
    );
    // The limit counts over all executions of the instance: a restart does not reset it.
    let failed = env.settle(date(DAY), shape(2)).await.unwrap();
    assert_ended(&failed, BatchStatus::Failed, &ExitCode::FAILED);
    let ended = env.settle(date(DAY), shape(3)).await.unwrap();
    assert_ended(
        &ended,
        BatchStatus::Completed,
        &ExitCode::COMPLETED_WITH_SKIPS,
    );
    assert_eq!(rejected(&env).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_skip_at_once_stay_within_the_limit_together() {
    let env = env().await;
    env.execute("UPDATE play_history SET play_time = -1 WHERE video_id <= 8")
        .await;
    let shape = Shape {
        partitions: 40,
        concurrency: 8,
        ..shape(3)
    };
    let failed = env.settle(date(DAY), shape).await.unwrap();
    assert_ended(&failed, BatchStatus::Failed, &ExitCode::FAILED);
    assert_eq!(rejected(&env).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_without_rates_fails_in_revenue() {
    let env = env().await;
    env.execute("UPDATE revenue_rate SET effective_from = '2099-01-01'")
        .await;
    let failed = env.settle(date(DAY), shape(0)).await.unwrap();
    assert_ended(&failed, BatchStatus::Failed, &ExitCode::FAILED);
    for number in 0..4 {
        let row = step(
            &env,
            failed.id,
            &format!("dayRevenueStep:partition{number}"),
        )
        .await;
        assert_eq!(row.status, BatchStatus::Failed);
        let cause = format!("video {}: there is no rate for {DAY}", number * 10 + 1);
        assert!(row.exit_message.contains(&cause), "{}", row.exit_message);
    }
    assert!(env.rows("SELECT * FROM video_revenue").await.is_empty());
    env.execute("UPDATE revenue_rate SET effective_from = '1970-01-01'")
        .await;
    let ended = env.settle(date(DAY), shape(0)).await.unwrap();
    assert_ended(&ended, BatchStatus::Completed, &ExitCode::COMPLETED);
    assert_eq!(env.results().await, healthy(&[DAY]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_whose_sum_overflows_fails_in_the_rollup() {
    let env = env().await;
    env.settle(date(DAY), shape(0)).await.unwrap();
    let set = async |seconds: i64| {
        let sql = "UPDATE video_statistics SET total_play_time =";
        env.execute(&format!(
            "{sql} {seconds} WHERE video_id = 15 AND date = '{DAY}'"
        ))
        .await;
    };
    set(i64::MAX).await;
    let failed = env.settle(date(NEXT), shape(0)).await.unwrap();
    assert_ended(&failed, BatchStatus::Failed, &ExitCode::FAILED);
    let row = step(&env, failed.id, "periodRollupStep:partition1").await;
    let cause = "video 15: the sum of the period does not fit into 64 bits";
    assert!(row.exit_message.contains(cause), "{}", row.exit_message);
    assert_eq!(
        (
            row.counters.reads,
            row.counters.writes,
            row.counters.rollbacks
        ),
        (8, 4, 1)
    );
    set(50).await;
    let ended = env.settle(date(NEXT), shape(0)).await.unwrap();
    assert_ended(&ended, BatchStatus::Completed, &ExitCode::COMPLETED);
    assert_eq!(env.results().await, healthy(&[DAY, NEXT]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_database_rejects_fail_only_their_video() {
    let env = env().await;
    env.reject_inserts("video_statistics", "NEW.video_id = 15", "not this one")
        .await;
    let failed = env.settle(date(DAY), shape(0)).await.unwrap();
    assert_ended(&failed, BatchStatus::Failed, &ExitCode::FAILED);
    let row = step(&env, failed.id, "dayStatisticsStep:partition1").await;
    let cause = "video 15: the database rejected its rows: not this one";
    assert!(row.exit_message.contains(cause), "{}", row.exit_message);
    // One rollback of the chunk of four, and one of the single video.
    assert_eq!((row.counters.rollbacks, row.counters.writes), (2, 4));

    let ended = env.settle(date(DAY), shape(1)).await.unwrap();
    assert_ended(
        &ended,
        BatchStatus::Completed,
        &ExitCode::COMPLETED_WITH_SKIPS,
    );
    let row = step(&env, ended.id, "dayStatisticsStep:partition1").await;
    assert_eq!((row.counters.write_skips, row.counters.writes), (1, 5));
    let settled = "SELECT COUNT(*) FROM video_statistics WHERE video_id BETWEEN 11 AND 20";
    assert_eq!(env.rows(settled).await, ["9"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn videos_skipped_by_an_abandoned_run_are_not_held_after_a_settlement() {
    let env = env().await;
    env.execute(
        "UPDATE play_history SET play_time = -1 WHERE video_id IN (15, 25) AND date = '2024-06-03'",
    )
    .await;
    let failed = env.settle(date(DAY), shape(1)).await.unwrap();
    assert_ended(&failed, BatchStatus::Failed, &ExitCode::FAILED);
    env.launcher(4).abandon(failed.id).await.unwrap();
    // The repair deletes the rows, so that the day has no row of these videos.
    env.execute("DELETE FROM play_history WHERE play_time < 0")
        .await;
    for day in [DAY, NEXT] {
        let ended = env.settle(date(day), shape(0)).await.unwrap();
        assert_ended(&ended, BatchStatus::Completed, &ExitCode::COMPLETED);
    }
    let settled = "SELECT date, COUNT(*) FROM video_statistics GROUP BY date";
    assert_eq!(env.rows(settled).await, ["2024-06-03|38", "2024-06-04|40"]);
}
