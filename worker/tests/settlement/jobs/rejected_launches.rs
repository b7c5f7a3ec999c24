//! Rejected launches and commands change nothing; an abandoned date can be launched again.

use crate::test_worker::{TestWorker, undisturbed};
use balance_batch::{
    execution::{JobExecutionId, StepExecutionId},
    status::BatchStatus,
};
use balance_domain::playback::Play;
use balance_store::{jobs::JobError, operations::Actor};
use balance_test_support::settlement::{Shape, TestEnv, date, even_day};

const DAY: &str = "2024-06-01";
const NEXT: &str = "2024-06-02";

fn plays() -> Vec<Play> {
    even_day(DAY, 200, 30)
}

async fn env() -> TestEnv {
    let env = TestEnv::new().await;
    env.import(&plays(), 1).await.unwrap();
    env.import(&even_day(NEXT, 100, 30), 1).await.unwrap();
    env
}

/// Returns all rows of the job tables, of `closed_through`, and of the results.
async fn job_tables(env: &TestEnv) -> Vec<String> {
    let mut all = Vec::new();
    for table in [
        "BATCH_JOB_INSTANCE",
        "BATCH_JOB_EXECUTION",
        "BATCH_JOB_EXECUTION_PARAMS",
        "BATCH_STEP_EXECUTION",
        "BATCH_STEP_EXECUTION_CONTEXT",
        "BATCH_JOB_EXECUTION_CONTEXT",
        "job_date_instance",
        "step_lease",
        "closed_through",
    ] {
        all.extend(
            env.rows(&format!(
                "SELECT '{table}', t.* FROM {table} t ORDER BY 2, 3"
            ))
            .await,
        );
    }
    all.extend(env.results().await);
    all
}

/// Returns the error's name, with which its message begins.
fn name<T: std::fmt::Debug>(result: Result<T, JobError>) -> String {
    let message = result.unwrap_err().to_string();
    message.split(':').next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_launches_change_nothing() {
    let env = env().await;
    let launcher = env.launcher(3);
    let before = job_tables(&env).await;
    // In Seoul it is June 30.
    assert_eq!(
        name(launcher.launch(date("2024-06-30")).await),
        "DayNotOver"
    );
    assert_eq!(
        name(launcher.launch(date("2024-07-05")).await),
        "DayNotOver"
    );
    assert_eq!(
        name(launcher.launch(date(NEXT)).await),
        "EarlierDayUnsettled"
    );
    assert_eq!(
        name(launcher.launch(date("2024-06-20")).await),
        "EarlierDayUnsettled"
    );
    assert_eq!(job_tables(&env).await, before);

    launcher.launch(date(DAY)).await.unwrap();
    let before = job_tables(&env).await;
    assert_eq!(
        name(launcher.launch(date(DAY)).await),
        "JobExecutionAlreadyRunning"
    );
    assert_eq!(
        name(launcher.launch(date(NEXT)).await),
        "EarlierDayUnsettled"
    );
    assert_eq!(job_tables(&env).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settled_date_is_never_settled_again() {
    let env = env().await;
    let settled = env.settle(date(DAY), Shape::default()).await.unwrap();
    let before = job_tables(&env).await;
    let complete = "JobInstanceAlreadyComplete";
    assert_eq!(
        name(env.settle(date(DAY), Shape::default()).await),
        complete
    );
    let launcher = env.launcher(3);
    assert_eq!(name(launcher.restart(settled.id).await), complete);
    assert_eq!(name(launcher.abandon(settled.id).await), "NotAbandonable");
    assert_eq!(
        name(launcher.stop(settled.id).await),
        "JobExecutionNotRunning"
    );
    assert_eq!(job_tables(&env).await, before);
    // Later days can be settled, with and without plays.
    env.settle(date(NEXT), Shape::default()).await.unwrap();
    let idle = env
        .settle(date("2024-06-20"), Shape::default())
        .await
        .unwrap();
    assert_eq!(idle.status, BatchStatus::Completed);
}

/// The results of stop, restart and abandon for the newest execution in each status.
#[tokio::test(flavor = "multi_thread")]
async fn each_status_has_its_results() {
    const DONE: &str = "done";
    let table = [
        (
            BatchStatus::Completed,
            "JobExecutionNotRunning",
            "JobInstanceAlreadyComplete",
            "NotAbandonable",
        ),
        (
            BatchStatus::Starting,
            DONE,
            "JobExecutionAlreadyRunning",
            "NotAbandonable",
        ),
        (
            BatchStatus::Started,
            DONE,
            "JobExecutionAlreadyRunning",
            "NotAbandonable",
        ),
        (
            BatchStatus::Stopping,
            DONE,
            "JobExecutionAlreadyRunning",
            DONE,
        ),
        (BatchStatus::Stopped, "JobExecutionNotRunning", DONE, DONE),
        (BatchStatus::Failed, "JobExecutionNotRunning", DONE, DONE),
        (
            BatchStatus::Abandoned,
            "JobExecutionNotRunning",
            "NotRestartable",
            "NotAbandonable",
        ),
        (
            BatchStatus::Unknown,
            "JobExecutionNotRunning",
            "JobRestart",
            DONE,
        ),
    ];
    for (status, stop, restart, abandon) in table {
        for (operation, expected) in [("stop", stop), ("restart", restart), ("abandon", abandon)] {
            let env = env().await;
            let id = TestWorker::launch(&env, DAY, 2).await.job;
            env.execute(&format!(
                "UPDATE BATCH_JOB_EXECUTION SET STATUS = '{status}'"
            ))
            .await;
            let before = job_tables(&env).await;
            let by = &Actor::Console;
            let result = match operation {
                "stop" => env.store.stop(id, by).await,
                "restart" => env.store.restart(id, None, by, None).await.map(|_| ()),
                _ => env.store.abandon(id, by).await,
            };
            let result = result.map_or_else(|error| name::<()>(Err(error)), |()| DONE.to_owned());
            assert_eq!(result, expected, "{operation} while {status}");
            if expected != DONE {
                assert_eq!(job_tables(&env).await, before, "{operation} while {status}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_newest_execution_is_restarted_or_abandoned() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 2).await;
    test_worker.launcher.stop(test_worker.job).await.unwrap();
    let second = test_worker
        .launcher
        .restart(test_worker.job)
        .await
        .unwrap()
        .id;
    test_worker.launcher.stop(second).await.unwrap();
    let before = job_tables(&env).await;
    assert_eq!(
        name(test_worker.launcher.restart(test_worker.job).await),
        "NotNewest"
    );
    assert_eq!(
        name(test_worker.launcher.abandon(test_worker.job).await),
        "NotNewest"
    );
    for operation in [
        test_worker.launcher.stop(JobExecutionId(99)).await,
        test_worker.launcher.abandon(JobExecutionId(99)).await,
        test_worker
            .launcher
            .restart(JobExecutionId(99))
            .await
            .map(|_| ()),
    ] {
        assert_eq!(name(operation), "NoSuchJobExecution");
    }
    assert_eq!(job_tables(&env).await, before);
    test_worker.launcher.abandon(second).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_failed_partition_of_the_newest_execution_is_retried() {
    let env = env().await;
    env.execute("UPDATE play_history SET play_time = -1 WHERE video_id = 1")
        .await;
    let failed = env.settle(date(DAY), Shape::default()).await.unwrap();
    let steps = env.steps(failed.id).await;
    let launcher = env.launcher(3);
    let before = job_tables(&env).await;
    assert_eq!(
        name(launcher.retry(StepExecutionId(99)).await),
        "NoSuchStepExecution"
    );
    for step in &steps {
        let is_failed = step.status == BatchStatus::Failed && step.name.partition.is_some();
        if !is_failed {
            assert_eq!(
                name(launcher.retry(step.id).await),
                "NotRetryable",
                "{}",
                step.name
            );
        }
    }
    assert_eq!(job_tables(&env).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_abandoned_run_the_date_gets_a_new_instance_and_the_same_rows() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 3).await;
    // The first run has written some rows, with wrong values.
    let mut claim = test_worker.claim(test_worker.partitions[0], 1).await;
    test_worker.chunk(&mut claim, 4).await.unwrap();
    env.execute("UPDATE video_statistics SET view_count = view_count + 1000")
        .await;
    test_worker.launcher.stop(test_worker.job).await.unwrap();
    test_worker.launcher.abandon(test_worker.job).await.unwrap();

    let second = test_worker.launcher.launch(date(DAY)).await.unwrap();
    assert!(!second.is_restart);
    test_worker.launcher.stop(second.id).await.unwrap();
    // After a stop, a launch of the date is a restart.
    let restarted = test_worker.launcher.launch(date(DAY)).await.unwrap();
    assert!(restarted.is_restart);
    test_worker.launcher.stop(restarted.id).await.unwrap();
    test_worker.launcher.abandon(restarted.id).await.unwrap();

    let third = env.settle(date(DAY), Shape::default()).await.unwrap();
    assert_eq!(
        (third.status, third.run_id),
        (BatchStatus::Completed, Some(2))
    );
    let runs = env
        .rows(
            "SELECT e.JOB_EXECUTION_ID, i.JOB_INSTANCE_ID, d.run_id, e.STATUS \
             FROM BATCH_JOB_EXECUTION e JOIN BATCH_JOB_INSTANCE i USING (JOB_INSTANCE_ID) \
             JOIN job_date_instance d USING (job_instance_id) ORDER BY 1",
        )
        .await;
    assert_eq!(
        runs,
        [
            "1|1|0|ABANDONED",
            "2|2|1|STOPPED",
            "3|2|1|ABANDONED",
            "4|3|2|COMPLETED"
        ]
    );
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
    let complete = "JobInstanceAlreadyComplete";
    assert_eq!(name(test_worker.launcher.launch(date(DAY)).await), complete);
    // An abandoned execution stays abandoned after another instance has settled the date.
    assert_eq!(
        name(test_worker.launcher.restart(JobExecutionId(1)).await),
        "NotNewest"
    );
}
