//! Faults of the job tables.

use super::{assert_found, fault};
use crate::verification::fixtures::settled;
use balance_batch::{
    partition::{IdRange, PartitionState},
    spring::context::ExecutionContext,
};
use balance_test_support::settlement::TestEnv;

const PARTITION: &str = "STEP_NAME = 'dayRevenueStep:partition1' AND JOB_EXECUTION_ID = 2";
const MANAGER: &str = "STEP_NAME = 'partitionedDayRevenueStep' AND JOB_EXECUTION_ID = 2";
/// The keys of their differences. The name of a step in angle brackets stands for its ID.
const OF_PARTITION: &str =
    "(step execution <dayRevenueStep:partition1> (dayRevenueStep:partition1 of execution 2))";
const OF_MANAGER: &str =
    "(step execution <partitionedDayRevenueStep> (partitionedDayRevenueStep of execution 2))";

/// Returns the highest ID of a step execution.
async fn newest_step(env: &TestEnv) -> String {
    let sql = "SELECT MAX(STEP_EXECUTION_ID) FROM BATCH_STEP_EXECUTION";
    env.rows(sql).await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_counters_are_found_and_named() {
    let env = settled().await;
    let set =
        |change: &str, rows: &str| format!("UPDATE BATCH_STEP_EXECUTION SET {change} WHERE {rows}");
    let steps = "BATCH_STEP_EXECUTION";
    let partition = "partitions: BATCH_STEP_EXECUTION (instance 2, dayRevenueStep:partition1 (step executions <dayRevenueStep:partition1>))";
    let manager = format!("managers: BATCH_STEP_EXECUTION {OF_MANAGER}");
    let both = "STEP_NAME IN ('dayRevenueStep:partition1', 'partitionedDayRevenueStep') AND JOB_EXECUTION_ID = 2";
    let faults = [
        fault(
            steps,
            set("READ_COUNT = READ_COUNT + 1", PARTITION),
            &format!("{manager} READ_COUNT: 41 / 40"),
        ),
        fault(
            steps,
            set("ROLLBACK_COUNT = 1", MANAGER),
            &format!("{manager} ROLLBACK_COUNT: 0 / 1"),
        ),
        fault(
            steps,
            set("WRITE_COUNT = WRITE_COUNT - 1", PARTITION),
            &format!("{manager} WRITE_COUNT: 39 / 40\n{partition} WRITE_COUNT: 10 / 9"),
        ),
        // Both counters are wrong, and the sum is right.
        fault(
            steps,
            set("WRITE_COUNT = WRITE_COUNT - 1", both),
            &format!("{partition} WRITE_COUNT: 10 / 9"),
        ),
        fault(
            steps,
            set("PROCESS_SKIP_COUNT = 1", both),
            &format!("{partition} skip counts: 0 / 1"),
        ),
        fault(
            steps,
            set("STEP_NAME = 'dayRevenueStep:partition9'", PARTITION),
            "partitions: BATCH_STEP_EXECUTION (instance 2, partitionedDayRevenueStep) STEP_NAME: partition1 / partition2",
        ),
        fault(
            steps,
            format!("DELETE FROM BATCH_STEP_EXECUTION WHERE {MANAGER}"),
            "partitions: BATCH_STEP_EXECUTION (instance 2, partitionedDayRevenueStep) STATUS: COMPLETED",
        ),
        fault(
            "rejected_item",
            "INSERT INTO rejected_item VALUES (2, 'partitionedPeriodRollupStep', 3, '2024-05-28', 'x', '2024-06-30 12:00:00')",
            "partitions: BATCH_STEP_EXECUTION (instance 2, periodRollupStep:partition0 (step executions <periodRollupStep:partition0>)) WRITE_COUNT: 9 / 10
             partitions: BATCH_STEP_EXECUTION (instance 2, periodRollupStep:partition0 (step executions <periodRollupStep:partition0>)) skip counts: 1 / 0
             job tables: BATCH_JOB_EXECUTION (execution 2) EXIT_CODE: COMPLETED_WITH_SKIPS",
        ),
    ];
    assert_found(&env, &faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_contexts_and_ranges_are_found_and_named() {
    let env = settled().await;
    let table = "BATCH_STEP_EXECUTION_CONTEXT";
    let set = |context: &str, whose: &str| {
        format!(
            "UPDATE {table} SET SHORT_CONTEXT = '{context}' WHERE STEP_EXECUTION_ID = \
             (SELECT STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION WHERE {whose})"
        )
    };
    let range = |after, upto, cursor| {
        let range = IdRange { after, upto };
        PartitionState { range, cursor }.to_context().to_base64()
    };
    let empty = ExecutionContext::new().to_base64();
    let of_step = "(instance 2, partitionedDayRevenueStep)";
    let faults = [
        fault(
            table,
            set("{}", PARTITION),
            &format!("job tables: {table} {OF_PARTITION} SHORT_CONTEXT: a context in the form of Spring Batch"),
        ),
        fault(
            table,
            set(&empty, PARTITION),
            &format!("job tables: {table} {OF_PARTITION} SHORT_CONTEXT: a range and a cursor"),
        ),
        fault(
            table,
            set(&empty, MANAGER),
            &format!("job tables: {table} {OF_MANAGER} SHORT_CONTEXT: a Long"),
        ),
        fault(
            table,
            set(&range(10, 19, 19), PARTITION),
            &format!(
                "partitions: {table} {of_step} SHORT_CONTEXT: a range after 19 / the next begins after 20
                 partitions: BATCH_STEP_EXECUTION (instance 2, dayRevenueStep:partition1 (step executions <dayRevenueStep:partition1>)) WRITE_COUNT: 9 / 10
                 partitions: BATCH_STEP_EXECUTION (instance 2, dayRevenueStep:partition2 (step executions <dayRevenueStep:partition2>)) WRITE_COUNT: 11 / 10"
            ),
        ),
        fault(
            table,
            set(&range(10, 20, 19), PARTITION),
            &format!("partitions: {table} {OF_PARTITION} SHORT_CONTEXT: the cursor at 20"),
        ),
        fault(
            table,
            format!("DELETE FROM {table} WHERE STEP_EXECUTION_ID = <dayRevenueStep:partition1>"),
            &format!("job tables: {table} {OF_PARTITION} row: a context / no row"),
        ),
        fault(
            "BATCH_JOB_EXECUTION_CONTEXT",
            "DELETE FROM BATCH_JOB_EXECUTION_CONTEXT WHERE JOB_EXECUTION_ID = 2",
            "job tables: BATCH_JOB_EXECUTION_CONTEXT (execution 2) row: a context / no row",
        ),
    ];
    assert_found(&env, &faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_statuses_and_times_are_found_and_named() {
    let env = settled().await;
    let step = |what: &str| format!("UPDATE BATCH_STEP_EXECUTION SET {what} WHERE {PARTITION}");
    let job =
        |what: &str| format!("UPDATE BATCH_JOB_EXECUTION SET {what} WHERE JOB_EXECUTION_ID = 2");
    let of_step = format!("job tables: BATCH_STEP_EXECUTION {OF_PARTITION}");
    let of_job = "job tables: BATCH_JOB_EXECUTION (execution 2)";
    let of_partition = "partitions: BATCH_STEP_EXECUTION (instance 2, dayRevenueStep:partition1) STATUS: COMPLETED";
    let unsettled = "order: BATCH_JOB_EXECUTION (date 2024-05-28) STATUS: a COMPLETED execution";
    let lease =
        "INSERT INTO step_lease (step_execution_id, job_execution_id, lease_until_micros) VALUES";
    let faults = [
        fault(
            "BATCH_STEP_EXECUTION",
            step("STATUS = 'FINISHED'"),
            &format!("{of_partition}\n{of_step} STATUS: a status of Spring Batch / FINISHED"),
        ),
        fault(
            "BATCH_STEP_EXECUTION",
            step("STATUS = 'FAILED'"),
            &format!(
                "managers: BATCH_STEP_EXECUTION {OF_MANAGER} STATUS: FAILED / COMPLETED
                 {of_partition}\n{of_step} STATUS: COMPLETED: the execution is COMPLETED / FAILED"
            ),
        ),
        fault(
            "BATCH_STEP_EXECUTION",
            step("END_TIME = NULL"),
            &format!("{of_step} END_TIME: a time"),
        ),
        fault(
            "BATCH_JOB_EXECUTION",
            job("STATUS = 'DONE'"),
            &format!("{of_job} STATUS: a status of Spring Batch / DONE\n{unsettled}"),
        ),
        fault(
            "BATCH_JOB_EXECUTION",
            job("STATUS = NULL"),
            &format!("{of_job} STATUS: a status of Spring Batch / NULL\n{unsettled}"),
        ),
        fault(
            "BATCH_JOB_EXECUTION",
            job("END_TIME = NULL"),
            &format!("{of_job} END_TIME: a time"),
        ),
        fault(
            "BATCH_JOB_EXECUTION",
            job("EXIT_CODE = 'COMPLETED_WITH_SKIPS'"),
            &format!("{of_job} EXIT_CODE: COMPLETED: 0 videos"),
        ),
        fault(
            "step_lease",
            format!("{lease} (1, 1, 0)"),
            "job tables: step_lease (step execution 1 (closeDayStep of execution 1)) row: no lease",
        ),
        fault(
            "step_lease",
            format!("{lease} (900, 1, 0), (901, 900, 0)"),
            "job tables: step_lease (step execution 900 of execution 1) row: no lease
             job tables: step_lease (step execution 901) job_execution_id: an execution",
        ),
    ];
    assert_found(&env, &faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_identities_are_found_and_named() {
    let env = settled().await;
    let parameters = "BATCH_JOB_EXECUTION_PARAMS";
    let set = |what: &str| format!("UPDATE {parameters} SET {what} WHERE JOB_EXECUTION_ID = 2");
    let of_parameter = format!("job tables: {parameters} (execution 2, parameter date)");
    let key = "job tables: BATCH_JOB_INSTANCE (instance 2 of 2024-05-28) JOB_KEY:";
    let newest = newest_step(&env).await;
    let faults = [
        fault(
            "BATCH_JOB_INSTANCE",
            "UPDATE BATCH_JOB_INSTANCE SET JOB_KEY = 'dc1752dfa13323c984b21f58609fe6b6' WHERE JOB_INSTANCE_ID = 2",
            &format!("{key} bdbffde81a401870389455c1006d67f7"),
        ),
        fault(
            "BATCH_JOB_INSTANCE",
            "UPDATE BATCH_JOB_INSTANCE SET JOB_NAME = 'otherJob' WHERE JOB_INSTANCE_ID = 2",
            "job tables: BATCH_JOB_INSTANCE (instance 2 of 2024-05-28) JOB_NAME: dayStatisticsJob",
        ),
        fault(
            "BATCH_JOB_INSTANCE",
            "DELETE FROM BATCH_JOB_INSTANCE WHERE JOB_INSTANCE_ID = 2",
            "job tables: job_date_instance (instance 2) job_instance_id: a row of it
             job tables: BATCH_JOB_EXECUTION (execution 2) JOB_INSTANCE_ID: an instance",
        ),
        fault(
            parameters,
            set("PARAMETER_TYPE = 'java.util.Date'"),
            &format!("{of_parameter} PARAMETER_TYPE: a class"),
        ),
        fault(
            parameters,
            set("IDENTIFYING = 'X'"),
            &format!("{of_parameter} IDENTIFYING: Y or N / X"),
        ),
        fault(
            parameters,
            set("PARAMETER_VALUE = '2024-05-29'"),
            &format!(
                "{key}\njob tables: {parameters} (execution 2) PARAMETER_VALUE: the date 2024-05-28 / 2024-05-29"
            ),
        ),
        fault(
            "job_date_instance",
            "UPDATE job_date_instance SET run_id = 4 WHERE job_instance_id = 2",
            &format!("job tables: {parameters} (execution 2) PARAMETER_VALUE: the run.id 4 / 0"),
        ),
        fault(
            "BATCH_STEP_EXECUTION_SEQ",
            "UPDATE BATCH_STEP_EXECUTION_SEQ SET ID = 5",
            &format!(
                "job tables: BATCH_STEP_EXECUTION_SEQ (the last id given) ID: {newest} or more / 5"
            ),
        ),
    ];
    assert_found(&env, &faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_was_settled_before_an_earlier_day_is_found() {
    let env = settled().await;
    let newest = newest_step(&env).await;
    // The instance of 2024-05-27 has a step that began after those of the next day.
    let columns = "VERSION, STEP_NAME, JOB_EXECUTION_ID, CREATE_TIME, START_TIME, END_TIME, STATUS, \
                   COMMIT_COUNT, READ_COUNT, FILTER_COUNT, WRITE_COUNT, READ_SKIP_COUNT, \
                   WRITE_SKIP_COUNT, PROCESS_SKIP_COUNT, ROLLBACK_COUNT, EXIT_CODE, EXIT_MESSAGE, \
                   LAST_UPDATED";
    let faults = [fault(
        "BATCH_STEP_EXECUTION",
        format!(
            "INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, {columns}) \
             SELECT 1000, {columns} FROM BATCH_STEP_EXECUTION WHERE STEP_EXECUTION_ID = 1"
        ),
        &format!(
            "job tables: BATCH_STEP_EXECUTION_CONTEXT (step execution 1000 (closeDayStep of execution 1)) row: a context / no row
             job tables: BATCH_STEP_EXECUTION_SEQ (the last id given) ID: 1000 or more / {newest}
             order: BATCH_STEP_EXECUTION (date 2024-05-28) STEP_EXECUTION_ID: after 1000, which settled 2024-05-27"
        ),
    )];
    assert_found(&env, &faults).await;
}
