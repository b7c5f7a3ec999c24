//! Executions that another program launched, such as a restart by Spring Batch. Balance lists them, and
//! never advances them.

use crate::{
    jobs::spring::recover_by_spring,
    test_worker::undisturbed,
    verification::fixtures::{assert_clean, settle},
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    spring::context::ExecutionContext,
    status::BatchStatus,
};
use balance_domain::playback::Play;
use balance_store::jobs::JobError;
use balance_test_support::settlement::{Shape, TestEnv, date, even_day};
use std::time::Duration;

const DAY: &str = "2024-06-01";
const ROWS: [&str; 3] = [
    "SELECT * FROM BATCH_JOB_EXECUTION ORDER BY JOB_EXECUTION_ID",
    "SELECT * FROM BATCH_STEP_EXECUTION ORDER BY STEP_EXECUTION_ID",
    "SELECT * FROM BATCH_STEP_EXECUTION_CONTEXT ORDER BY STEP_EXECUTION_ID",
];

fn plays() -> Vec<Play> {
    even_day(DAY, 400, 60)
}

/// Returns a day that failed in partition 0 of the statistics. The cause is fixed.
async fn failed() -> (TestEnv, JobExecution) {
    let env = TestEnv::new().await;
    env.import(&plays(), 1).await.unwrap();
    env.execute("UPDATE play_history SET play_time = -7 WHERE video_id = 1")
        .await;
    let failed = env.settle(date(DAY), Shape::default()).await.unwrap();
    assert_eq!(failed.status, BatchStatus::Failed);
    env.execute("UPDATE play_history SET play_time = 10 WHERE video_id = 1")
        .await;
    (env, failed)
}

/// Takes an ID of a sequence, as Spring Batch does.
async fn next_id(env: &TestEnv, sequence: &str) -> i64 {
    let sql = if env.is_server() {
        format!("UPDATE BATCH_{sequence}_SEQ SET ID = ID + 1")
    } else {
        format!("INSERT INTO BATCH_{sequence}_SEQ DEFAULT VALUES")
    };
    env.execute(&sql).await;
    let rows = env
        .rows(&format!("SELECT MAX(ID) FROM BATCH_{sequence}_SEQ"))
        .await;
    rows[0].parse().unwrap()
}

/// Restarts an execution as Spring Batch does: with the parameters of the failed one, and with copies of
/// the contexts of its steps. The new execution and its steps have the given statuses.
async fn restart_by_spring(
    env: &TestEnv,
    failed: &JobExecution,
    status: &str,
    steps: &[(&str, &str)],
) -> JobExecutionId {
    let id = next_id(env, "JOB_EXECUTION").await;
    let context = ExecutionContext::new().to_base64();
    for sql in [
        format!(
            "INSERT INTO BATCH_JOB_EXECUTION (JOB_EXECUTION_ID, VERSION, JOB_INSTANCE_ID, CREATE_TIME, \
             START_TIME, STATUS, EXIT_CODE, EXIT_MESSAGE, LAST_UPDATED) \
             SELECT {id}, 1, JOB_INSTANCE_ID, CREATE_TIME, START_TIME, '{status}', 'UNKNOWN', '', \
             LAST_UPDATED FROM BATCH_JOB_EXECUTION WHERE JOB_EXECUTION_ID = {}",
            failed.id
        ),
        format!(
            "INSERT INTO BATCH_JOB_EXECUTION_PARAMS (JOB_EXECUTION_ID, PARAMETER_NAME, PARAMETER_TYPE, \
             PARAMETER_VALUE, IDENTIFYING) SELECT {id}, PARAMETER_NAME, PARAMETER_TYPE, \
             PARAMETER_VALUE, IDENTIFYING FROM BATCH_JOB_EXECUTION_PARAMS \
             WHERE JOB_EXECUTION_ID = {}",
            failed.id
        ),
        format!(
            "INSERT INTO BATCH_JOB_EXECUTION_CONTEXT (JOB_EXECUTION_ID, SHORT_CONTEXT) \
             VALUES ({id}, '{context}')"
        ),
    ] {
        env.execute(&sql).await;
    }
    for (name, status) in steps {
        let step = next_id(env, "STEP_EXECUTION").await;
        let is_running = status.starts_with("START");
        let end = if is_running { "NULL" } else { "s.END_TIME" };
        let of_failed = format!(
            "s.JOB_EXECUTION_ID = {} AND s.STEP_NAME = '{name}'",
            failed.id
        );
        env.execute(&format!(
            "INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, VERSION, STEP_NAME, \
             JOB_EXECUTION_ID, CREATE_TIME, START_TIME, END_TIME, STATUS, COMMIT_COUNT, READ_COUNT, \
             FILTER_COUNT, WRITE_COUNT, READ_SKIP_COUNT, WRITE_SKIP_COUNT, PROCESS_SKIP_COUNT, \
             ROLLBACK_COUNT, EXIT_CODE, EXIT_MESSAGE, LAST_UPDATED) \
             SELECT {step}, 1, s.STEP_NAME, {id}, s.CREATE_TIME, s.START_TIME, {end}, '{status}', 0, 0, \
             0, 0, 0, 0, 0, 0, 'EXECUTING', '', s.LAST_UPDATED FROM BATCH_STEP_EXECUTION s \
             WHERE {of_failed}"
        ))
        .await;
        env.execute(&format!(
            "INSERT INTO BATCH_STEP_EXECUTION_CONTEXT (STEP_EXECUTION_ID, SHORT_CONTEXT) \
             SELECT {step}, c.SHORT_CONTEXT FROM BATCH_STEP_EXECUTION_CONTEXT c \
             JOIN BATCH_STEP_EXECUTION s ON s.STEP_EXECUTION_ID = c.STEP_EXECUTION_ID \
             WHERE {of_failed}"
        ))
        .await;
    }
    JobExecutionId(id)
}

/// Steps of an execution in which Spring Batch processes partition 0.
const AT_PARTITION: [(&str, &str); 2] = [
    ("partitionedDayStatisticsStep", "STARTED"),
    ("dayStatisticsStep:partition0", "STARTED"),
];

async fn rows(env: &TestEnv) -> Vec<String> {
    let mut all = Vec::new();
    for sql in ROWS {
        all.extend(env.rows(sql).await);
    }
    all
}

/// Lets a worker run until its rescuer has processed all executions once: it closes an old execution
/// that has a lease again, after the running ones.
async fn run_rescuer(env: &TestEnv, failed: &JobExecution) {
    env.execute(&format!(
        "INSERT INTO step_lease (step_execution_id, job_execution_id, lease_until_micros) \
         SELECT STEP_EXECUTION_ID, JOB_EXECUTION_ID, 0 FROM BATCH_STEP_EXECUTION \
         WHERE JOB_EXECUTION_ID = {} AND STEP_NAME = 'closeDayStep'",
        failed.id
    ))
    .await;
    let (_, worker) = env.worker(Shape::default()).await;
    let closed = async {
        while env.rows("SELECT COUNT(*) FROM step_lease").await != ["0"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed)
        .await
        .expect("the rescuer deletes the lease");
    assert!(worker.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_leave_an_execution_that_spring_runs_alone() {
    let mut all_steps = vec![("STARTING", Vec::new())];
    all_steps.push(("STARTED", AT_PARTITION.to_vec()));
    let completed = AT_PARTITION.map(|(name, _)| (name, "COMPLETED"));
    all_steps.push(("STARTED", completed.to_vec()));
    all_steps.push(("STOPPING", AT_PARTITION.to_vec()));
    for (status, steps) in all_steps {
        let (env, failed) = failed().await;
        let id = restart_by_spring(&env, &failed, status, &steps).await;
        let execution = env.store.execution(id).await.unwrap().unwrap();
        assert!(execution.is_foreign && !failed.is_foreign);
        assert_eq!(env.store.running().await.unwrap(), []);

        // The rescuer ends the step of the older execution, which raises its VERSION.
        run_rescuer(&env, &failed).await;
        let before = rows(&env).await;
        run_rescuer(&env, &failed).await;
        assert_eq!(env.launcher(4).advance(id).await.unwrap(), None);
        let of_spring = |rows: &[String]| {
            let rows = rows.iter().filter(|row| !row.contains("closeDayStep"));
            rows.cloned().collect::<Vec<_>>()
        };
        assert_eq!(of_spring(&rows(&env).await), of_spring(&before), "{status}");
        assert_eq!(env.steps(id).await.len(), steps.len(), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_spring_settles_is_not_launched_and_says_why() {
    let (env, failed) = failed().await;
    let id = restart_by_spring(&env, &failed, "STARTED", &AT_PARTITION).await;
    let launcher = env.launcher(4);
    for rejected in [launcher.launch(date(DAY)).await, launcher.restart(id).await] {
        let error = rejected.unwrap_err();
        assert!(matches!(error, JobError::ForeignRunning { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            format!(
                "JobExecutionAlreadyRunning: execution {id} of {DAY} is STARTED; another program \
                 launched it: wait for its end, or stop it"
            )
        );
    }
    assert_eq!(launcher.launch_due().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_of_a_spring_process_that_crashed_is_stopped_and_abandoned() {
    let (env, failed) = failed().await;
    let id = restart_by_spring(&env, &failed, "STARTED", &AT_PARTITION).await;
    let launcher = env.launcher(4);
    launcher.stop(id).await.unwrap();
    let status = env.store.execution_status(id).await.unwrap();
    assert_eq!(status, BatchStatus::Stopping, "Spring Batch ends it");
    assert_clean(&env, "stopping").await;

    launcher.abandon(id).await.unwrap();
    assert_clean(&env, "abandoned").await;
    settle(&env, DAY, 0).await;
    let newest = env.store.executions(None, 1).await.unwrap().remove(0);
    assert_eq!((newest.run_id, newest.is_foreign), (Some(1), false));
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
    assert_clean(&env, "settled again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_spring_failed_is_restarted_by_an_operator_only() {
    let (env, failed) = failed().await;
    let id = restart_by_spring(&env, &failed, "STARTED", &[("closeDayStep", "FAILED")]).await;
    env.execute(&format!(
        "UPDATE BATCH_JOB_EXECUTION SET STATUS = 'FAILED', EXIT_CODE = 'FAILED', \
         END_TIME = '2024-06-02 00:00:00' WHERE JOB_EXECUTION_ID = {id}"
    ))
    .await;
    let launcher = env.launcher(4);
    assert_eq!(launcher.launch_due().await.unwrap(), None);
    assert_clean(&env, "failed by Spring").await;

    settle(&env, DAY, 0).await;
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
    assert_clean(&env, "restarted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_of_spring_that_spring_recovered_restarts_while_workers_are_alive() {
    let (env, failed) = failed().await;
    let id = restart_by_spring(&env, &failed, "STARTED", &AT_PARTITION).await;
    recover_by_spring(&env, id).await;
    run_rescuer(&env, &failed).await;
    assert_eq!(
        env.store.execution_status(id).await.unwrap(),
        BatchStatus::Failed
    );
    assert_clean(&env, "recovered").await;

    settle(&env, DAY, 0).await;
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
    assert_clean(&env, "restarted").await;
}
