//! Operations of Spring Batch on the job tables. The statements are those that its repository executes.

use crate::{
    test_worker::{TestWorker, undisturbed},
    verification::fixtures::{assert_clean, settle},
};
use balance_batch::{
    execution::JobExecutionId,
    job::Step,
    status::{BatchStatus, ExitCode},
    step::{Counters, StepExecution},
};
use balance_domain::playback::Play;
use balance_store::claims::{ClaimError, Ending, Reloaded};
use balance_test_support::settlement::{Shape, TestEnv, date, even_day};
use std::time::Duration;

const DAY: &str = "2024-06-01";

fn plays() -> Vec<Play> {
    even_day(DAY, 400, 60)
}

async fn env() -> TestEnv {
    let env = TestEnv::new().await;
    env.import(&plays(), 1).await.unwrap();
    env
}

/// Ends an execution and its manager as `stop` of Spring Batch 6 does. It does not find partitions.
async fn stop_by_spring(env: &TestEnv, id: JobExecutionId) {
    let ended =
        "STATUS = 'STOPPED', EXIT_CODE = 'STOPPED', END_TIME = LAST_UPDATED, VERSION = VERSION + 1";
    for (table, rows) in [
        ("BATCH_JOB_EXECUTION", "STATUS = 'STARTED'"),
        (
            "BATCH_STEP_EXECUTION",
            "STATUS = 'STARTED' AND STEP_NAME NOT LIKE '%:%'",
        ),
    ] {
        let sql = format!("UPDATE {table} SET {ended} WHERE JOB_EXECUTION_ID = {id} AND {rows}");
        env.execute(&sql).await;
    }
}

/// Fails an execution and its running steps as `recover` of Spring Batch 6 does. It keeps the exit codes.
pub(crate) async fn recover_by_spring(env: &TestEnv, id: JobExecutionId) {
    for (table, exit) in [
        ("BATCH_STEP_EXECUTION", ""),
        ("BATCH_JOB_EXECUTION", ", EXIT_CODE = 'FAILED'"),
    ] {
        env.execute(&format!(
            "UPDATE {table} SET STATUS = 'FAILED', END_TIME = LAST_UPDATED, VERSION = VERSION + 1{exit} \
             WHERE JOB_EXECUTION_ID = {id} AND STATUS IN ('STARTING', 'STARTED')"
        ))
        .await;
    }
}

/// Deletes an instance as `deleteJobInstance` of Spring Batch does.
async fn delete_by_spring(env: &TestEnv, id: JobExecutionId) {
    let execution = env.store.execution(id).await.unwrap().unwrap();
    let of_step = format!(
        "STEP_EXECUTION_ID IN (SELECT STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION \
         WHERE JOB_EXECUTION_ID = {id})"
    );
    let of_execution = format!("JOB_EXECUTION_ID = {id}");
    let of_instance = format!("JOB_INSTANCE_ID = {}", execution.instance_id);
    for (table, rows) in [
        ("BATCH_STEP_EXECUTION_CONTEXT", &of_step),
        ("BATCH_STEP_EXECUTION", &of_execution),
        ("BATCH_JOB_EXECUTION_CONTEXT", &of_execution),
        ("BATCH_JOB_EXECUTION_PARAMS", &of_execution),
        ("BATCH_JOB_EXECUTION", &of_execution),
        ("BATCH_JOB_INSTANCE", &of_instance),
    ] {
        env.execute(&format!("DELETE FROM {table} WHERE {rows}"))
            .await;
    }
}

/// Asserts that an ended execution has no running step and no lease, and that its manager of the
/// statistics has a status and the sums of its partitions.
async fn assert_closed(env: &TestEnv, id: JobExecutionId, status: BatchStatus) {
    assert_eq!(
        env.rows("SELECT COUNT(*) FROM step_lease").await,
        ["0"],
        "leases"
    );
    let steps = env.steps(id).await;
    let mut sums = Counters::default();
    for step in &steps {
        assert!(
            !step.status.is_running(),
            "{} is {}",
            step.name,
            step.status
        );
        assert!(step.end_time.is_some(), "{}", step.name);
        if step.name.step == Step::DayStatistics && step.name.partition.is_some() {
            sums += step.counters;
        }
    }
    let manager = steps.iter().find(|step| is_manager(step)).unwrap();
    assert_eq!((manager.status, manager.counters), (status, sums));
}

fn is_manager(step: &StepExecution) -> bool {
    step.name.step == Step::DayStatistics && step.name.partition.is_none()
}

/// Waits until no execution has a lease, at most 20 seconds.
async fn await_no_leases(env: &TestEnv) {
    let closed = async {
        while env.rows("SELECT COUNT(*) FROM step_lease").await != ["0"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed)
        .await
        .expect("the leases are deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_worker_closes_an_execution_that_spring_stopped() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 4).await;
    let id = test_worker.job;
    let mut first = test_worker.claim(test_worker.partitions[0], 1).await;
    let mut second = test_worker.claim(test_worker.partitions[1], 2).await;
    test_worker.chunk(&mut first, 5).await.unwrap();
    test_worker.chunk(&mut second, 5).await.unwrap();
    stop_by_spring(&env, id).await;

    // The first worker that lets go stops the unclaimed partitions, and leaves the other claim alone.
    env.store.end(&first, Ending::Stopped).await.unwrap();
    test_worker.launcher.advance(id).await.unwrap();
    let row = test_worker.row(second.step_execution_id).await;
    assert_eq!(
        (row.status, row.version),
        (BatchStatus::Started, second.version)
    );
    for partition in &test_worker.partitions[2..] {
        let row = test_worker.row(*partition).await;
        assert_eq!(row.status, BatchStatus::Stopped);
        assert_eq!(row.exit_code, ExitCode::STOPPED);
    }

    env.store.end(&second, Ending::Stopped).await.unwrap();
    test_worker.launcher.advance(id).await.unwrap();
    assert_closed(&env, id, BatchStatus::Stopped).await;
    assert_clean(&env, "stopped by Spring").await;
    // A repeated call changes nothing.
    let rows = "SELECT * FROM BATCH_STEP_EXECUTION ORDER BY 1";
    let before = env.rows(rows).await;
    test_worker.launcher.advance(id).await.unwrap();
    assert_eq!(env.rows(rows).await, before);

    settle(&env, DAY, 0).await;
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
    assert_clean(&env, "restarted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_closes_an_execution_that_spring_stops_at_a_chunk() {
    let env = env().await;
    env.trigger(
        "stop",
        ("BATCH_STEP_EXECUTION", "COMMIT_COUNT"),
        "NEW.STEP_NAME = 'dayStatisticsStep:partition1' AND NEW.COMMIT_COUNT = 2",
        "UPDATE BATCH_JOB_EXECUTION SET STATUS = 'STOPPED', EXIT_CODE = 'STOPPED', \
         END_TIME = LAST_UPDATED, VERSION = VERSION + 1 \
         WHERE JOB_EXECUTION_ID = NEW.JOB_EXECUTION_ID;",
    )
    .await;
    let shape = Shape {
        chunk_size: 4,
        concurrency: 1,
        ..Shape::default()
    };
    let other = env.reopen().await;
    let (launcher, first) = env.worker(shape).await;
    let (_, second) = other.worker(shape).await;
    let id = launcher.launch(date(DAY)).await.unwrap().id;
    assert_eq!(env.wait(id).await.status, BatchStatus::Stopped);
    await_no_leases(&env).await;
    assert!(first.stop().await && second.stop().await);
    assert_closed(&env, id, BatchStatus::Stopped).await;
    assert_clean(&env, "stopped by Spring").await;
    env.execute("DROP TRIGGER stop").await;
    settle(&env, DAY, 0).await;
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rescuer_closes_an_execution_whose_workers_crashed_before_spring_stopped_it() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 3).await;
    let mut claim = test_worker.claim(test_worker.partitions[0], 1).await;
    test_worker.chunk(&mut claim, 5).await.unwrap();
    stop_by_spring(&env, test_worker.job).await;
    test_worker.expire_leases().await;
    let (_, worker) = env.worker(Shape::default()).await;
    await_no_leases(&env).await;
    assert!(worker.stop().await);
    assert_closed(&env, test_worker.job, BatchStatus::Stopped).await;
    assert_clean(&env, "closed by the rescuer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_fences_the_claims_of_an_execution_that_spring_stopped() {
    for is_launch in [false, true] {
        let env = env().await;
        let test_worker = TestWorker::launch(&env, DAY, 3).await;
        let mut claim = test_worker.claim(test_worker.partitions[0], 1).await;
        test_worker.chunk(&mut claim, 5).await.unwrap();
        let chunk = test_worker.prepare(&claim, 5).await;
        stop_by_spring(&env, test_worker.job).await;
        let again = if is_launch {
            test_worker.launcher.launch(date(DAY)).await
        } else {
            test_worker.launcher.restart(test_worker.job).await
        };
        let again = again.unwrap().id;

        let late = test_worker.commit(&mut claim, &chunk).await;
        assert!(matches!(late, Err(ClaimError::Fenced)), "{late:?}");
        assert_eq!(
            env.store.reload(&claim).await.unwrap(),
            Reloaded::Lost,
            "the worker drops the partition"
        );
        let ended = test_worker.finish(again).await;
        assert_eq!(ended.status, BatchStatus::Completed);
        assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
        assert_clean(&env, "restarted").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_spring_recovered_is_closed_and_restarts() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 3).await;
    let mut claim = test_worker.claim(test_worker.partitions[0], 1).await;
    test_worker.chunk(&mut claim, 5).await.unwrap();
    test_worker.expire_leases().await;
    recover_by_spring(&env, test_worker.job).await;
    let (_, worker) = env.worker(Shape::default()).await;
    await_no_leases(&env).await;
    assert!(worker.stop().await);
    assert_closed(&env, test_worker.job, BatchStatus::Failed).await;
    settle(&env, DAY, 0).await;
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_whose_instance_spring_deleted_is_settled_as_a_first_instance() {
    let env = env().await;
    env.execute("UPDATE play_history SET play_time = -1 WHERE video_id = 1")
        .await;
    let failed = env.settle(date(DAY), Shape::default()).await.unwrap();
    assert_eq!(failed.status, BatchStatus::Failed);
    env.execute("UPDATE play_history SET play_time = 10 WHERE video_id = 1")
        .await;
    delete_by_spring(&env, failed.id).await;
    let settled = env.settle(date(DAY), Shape::default()).await.unwrap();
    assert_eq!(
        (settled.status, settled.run_id),
        (BatchStatus::Completed, None)
    );
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
    assert_clean(&env, "settled again").await;
}
