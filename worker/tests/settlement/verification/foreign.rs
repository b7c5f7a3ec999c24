//! Step executions that Spring Batch wrote. `verify` reports no rule of the engine for them, counts
//! them, and compares the results.

use crate::verification::fixtures::{
    ALL, DAY, NEXT, assert_clean, differences, imported, run_verify, settle, settled, shape,
};
use balance_batch::{
    partition::PartitionState,
    spring::context::{ExecutionContext, GRID_SIZE_KEY},
    status::BatchStatus,
};
use balance_test_support::settlement::{TestEnv, date};

/// Returns an instance whose only execution failed in partition 0 of the statistics. The cause is
/// fixed.
async fn failed() -> TestEnv {
    let env = imported(&[DAY]).await;
    env.execute("UPDATE play_history SET play_time = -7 WHERE video_id = 1")
        .await;
    let failed = env.settle(date(DAY), shape(0)).await.unwrap();
    assert_eq!(failed.status, BatchStatus::Failed);
    env.execute("UPDATE play_history SET play_time = 10 WHERE video_id = 1")
        .await;
    env
}

/// Returns the context of the newest step execution of a name.
async fn context(env: &TestEnv, step: &str) -> ExecutionContext {
    let rows = env
        .rows(&format!(
            "SELECT c.SHORT_CONTEXT FROM BATCH_STEP_EXECUTION s JOIN BATCH_STEP_EXECUTION_CONTEXT c \
             ON c.STEP_EXECUTION_ID = s.STEP_EXECUTION_ID WHERE s.STEP_NAME = '{step}' \
             ORDER BY s.STEP_EXECUTION_ID DESC LIMIT 1"
        ))
        .await;
    ExecutionContext::from_base64(&rows[0]).unwrap()
}

/// Replaces the context of the newest step execution of a name by one with the keys that Spring Batch 6
/// adds.
async fn write_by_spring(env: &TestEnv, step: &str, mut context: ExecutionContext) {
    context.put_text("batch.version", "6.0.6");
    context.put_text("batch.stepType", "org.springframework.batch.core.step.Step");
    env.execute(&format!(
        "UPDATE BATCH_STEP_EXECUTION_CONTEXT SET SHORT_CONTEXT = '{}' WHERE STEP_EXECUTION_ID = \
         (SELECT MAX(STEP_EXECUTION_ID) FROM BATCH_STEP_EXECUTION WHERE STEP_NAME = '{step}')",
        context.to_base64()
    ))
    .await;
}

const NO_COUNTS: &str = "COMMIT_COUNT = 0, READ_COUNT = 0, FILTER_COUNT = 0, WRITE_COUNT = 0";

async fn assert_foreign(env: &TestEnv, count: u64) {
    assert_eq!(run_verify(env, ALL).await.foreign_steps, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_spring_failed_before_it_was_partitioned_is_no_difference() {
    let env = failed().await;
    let partitions = "STEP_NAME LIKE 'dayStatisticsStep:%'";
    env.execute(&format!(
        "DELETE FROM BATCH_STEP_EXECUTION_CONTEXT WHERE STEP_EXECUTION_ID IN \
         (SELECT STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION WHERE {partitions})"
    ))
    .await;
    env.execute(&format!(
        "DELETE FROM BATCH_STEP_EXECUTION WHERE {partitions}"
    ))
    .await;
    let manager = "partitionedDayStatisticsStep";
    env.execute(&format!(
        "UPDATE BATCH_STEP_EXECUTION SET {NO_COUNTS}, ROLLBACK_COUNT = 0 WHERE STEP_NAME = '{manager}'"
    ))
    .await;
    let mut grid = ExecutionContext::new();
    grid.put_long(GRID_SIZE_KEY, 7);
    write_by_spring(&env, manager, grid).await;
    assert_clean(&env, "failed by Spring").await;
    assert_foreign(&env, 1).await;

    settle(&env, DAY, 0).await;
    assert_clean(&env, "restarted").await;
    assert_foreign(&env, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_spring_abandoned_keeps_the_statuses_of_its_steps() {
    let env = failed().await;
    env.execute(
        "UPDATE BATCH_JOB_EXECUTION SET STATUS = 'ABANDONED', END_TIME = LAST_UPDATED, \
         VERSION = VERSION + 1",
    )
    .await;
    assert_clean(&env, "abandoned by Spring").await;
    settle(&env, DAY, 0).await;
    assert_clean(&env, "settled again").await;
    assert_foreign(&env, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_spring_recovered_have_no_counts() {
    let env = failed().await;
    env.execute(&format!(
        "UPDATE BATCH_STEP_EXECUTION SET EXIT_CODE = 'EXECUTING', {NO_COUNTS} \
         WHERE STEP_NAME = 'partitionedDayStatisticsStep'"
    ))
    .await;
    assert_clean(&env, "recovered by Spring").await;
    assert_foreign(&env, 1).await;
    settle(&env, DAY, 0).await;
    assert_clean(&env, "restarted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_a_step_that_spring_ran_is_judged_by_the_rules_of_the_engine() {
    let env = failed().await;
    let partition = "dayStatisticsStep:partition0";
    let before = context(&env, partition).await;
    write_by_spring(&env, partition, before).await;
    assert_clean(&env, "failed by Spring").await;
    assert_foreign(&env, 1).await;

    settle(&env, DAY, 0).await;
    assert!(!context(&env, partition).await.has_spring_keys());
    assert_clean(&env, "restarted").await;
    assert_foreign(&env, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_spring_reported_is_compared_with_the_results() {
    let env = settled().await;
    // Spring's step counts nothing and keeps the cursor at the beginning of the range.
    let of_day = format!(
        "JOB_EXECUTION_ID = (SELECT e.JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION e \
         JOIN job_date_instance d ON d.job_instance_id = e.JOB_INSTANCE_ID WHERE d.date = '{NEXT}')"
    );
    let partitions = "STEP_NAME LIKE 'dayRevenueStep:%'";
    let names = env
        .rows(&format!(
            "SELECT STEP_EXECUTION_ID, STEP_NAME FROM BATCH_STEP_EXECUTION WHERE {of_day} AND {partitions}"
        ))
        .await;
    for row in &names {
        let (id, _) = row.split_once('|').unwrap();
        let rows = env
            .rows(&format!(
                "SELECT SHORT_CONTEXT FROM BATCH_STEP_EXECUTION_CONTEXT WHERE STEP_EXECUTION_ID = {id}"
            ))
            .await;
        let state = PartitionState::from_context(&ExecutionContext::from_base64(&rows[0]).unwrap())
            .unwrap();
        let mut context = PartitionState::new(state.range).to_context();
        context.put_text("batch.version", "6.0.6");
        env.execute(&format!(
            "UPDATE BATCH_STEP_EXECUTION_CONTEXT SET SHORT_CONTEXT = '{}' WHERE STEP_EXECUTION_ID = {id}",
            context.to_base64()
        ))
        .await;
    }
    env.execute(&format!(
        "UPDATE BATCH_STEP_EXECUTION SET {NO_COUNTS} WHERE {of_day} \
         AND ({partitions} OR STEP_NAME = 'partitionedDayRevenueStep')"
    ))
    .await;
    assert_clean(&env, "completed by Spring").await;
    assert_foreign(&env, 4).await;

    env.execute(&format!(
        "DELETE FROM video_revenue WHERE video_id = 15 AND date = '{NEXT}'"
    ))
    .await;
    let found = differences(&env).await;
    let is_named = |line: &String| line.contains("video_revenue") && line.contains("video 15");
    assert!(found.iter().any(is_named), "{found:#?}");
}
