//! Job control: launch, stop, restart and abandon.

use crate::test_worker::{TestWorker, undisturbed};
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    job::{Job, Step},
    status::{BatchStatus, ExitCode},
    step::{Counters, StepExecution},
};
use balance_domain::playback::Play;
use balance_store::{
    claims::Ending,
    jobs::{Advance, JobError, LaunchedBy, Plan},
    operations::Actor,
};
use balance_test_support::settlement::{Shape, TestEnv, date, even_day};
use tokio::task::JoinSet;

const DAY: &str = "2024-06-01";

fn plays() -> Vec<Play> {
    even_day(DAY, 400, 60)
}

async fn env() -> TestEnv {
    let env = TestEnv::new().await;
    env.import(&plays(), 1).await.unwrap();
    env
}

/// Stops an execution inside the transaction of a partition's n-th chunk.
async fn stop_at_chunk(env: &TestEnv, partition: &str, chunk: i64) {
    env.trigger(
        "stop",
        ("BATCH_STEP_EXECUTION", "COMMIT_COUNT"),
        &format!("NEW.STEP_NAME = '{partition}' AND NEW.COMMIT_COUNT = {chunk}"),
        "UPDATE BATCH_JOB_EXECUTION SET STATUS = 'STOPPING', VERSION = VERSION + 1 \
             WHERE JOB_EXECUTION_ID = NEW.JOB_EXECUTION_ID;",
    )
    .await;
}

async fn restart(env: &TestEnv, id: JobExecutionId, shape: Shape) -> JobExecution {
    let (launcher, worker) = env.worker(shape).await;
    let launched = launcher.restart(id).await.unwrap();
    assert!(launched.is_restart);
    let execution = env.wait(launched.id).await;
    assert!(worker.stop().await);
    execution
}

/// Asserts that each manager's counters are the sums of its partitions.
async fn assert_managers_are_sums(env: &TestEnv, id: JobExecutionId) {
    let steps = env.steps(id).await;
    for manager in steps.iter().filter(|row| row.name.partition.is_none()) {
        if manager.name.step == Step::CloseDay {
            continue;
        }
        let mut sum = Counters::default();
        for part in partitions(&steps, manager.name.step) {
            sum += part.counters;
        }
        assert_eq!(manager.counters, sum, "{}", manager.name);
    }
}

fn partitions(steps: &[StepExecution], step: Step) -> impl Iterator<Item = &StepExecution> {
    steps
        .iter()
        .filter(move |row| row.name.step == step && row.name.partition.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_in_the_middle_and_restarted_the_rows_are_the_same() {
    for (partition, chunk) in [
        ("dayStatisticsStep:partition1", 2),
        ("dayRevenueStep:partition0", 1),
        ("periodRollupStep:partition3", 3),
    ] {
        let env = env().await;
        stop_at_chunk(&env, partition, chunk).await;
        let shape = Shape {
            chunk_size: 4,
            ..Shape::default()
        };
        let stopped = env.settle(date(DAY), shape).await.unwrap();
        assert_eq!(stopped.status, BatchStatus::Stopped, "{partition}");
        assert_eq!(stopped.exit_code, ExitCode::STOPPED);
        assert_managers_are_sums(&env, stopped.id).await;
        let steps = env.steps(stopped.id).await;
        let halted = steps
            .iter()
            .find(|row| row.name.to_string() == partition)
            .unwrap();
        // The status is checked before each chunk: no further chunk was written.
        assert_eq!(
            (halted.status, halted.counters.commits),
            (BatchStatus::Stopped, chunk)
        );
        assert_eq!(halted.exit_code, ExitCode::STOPPED);
        assert!(halted.end_time.is_some());

        env.execute("DROP TRIGGER stop").await;
        let ended = restart(&env, stopped.id, shape).await;
        assert_eq!(ended.status, BatchStatus::Completed);
        assert_eq!(ended.exit_code, ExitCode::COMPLETED);
        assert_eq!(ended.instance_id, stopped.instance_id);
        assert_managers_are_sums(&env, ended.id).await;
        assert_only_the_rest_ran(&steps, &env.steps(ended.id).await);
        assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
    }
}

/// Asserts that the restart has one row for each step that was not COMPLETED, and no others. Both
/// executions together have settled each video once.
fn assert_only_the_rest_ran(before: &[StepExecution], after: &[StepExecution]) {
    for row in before {
        let again = after.iter().filter(|other| other.name == row.name).count();
        let is_done = row.status == BatchStatus::Completed;
        assert_eq!(
            again,
            usize::from(!is_done),
            "{} was {}",
            row.name,
            row.status
        );
    }
    let writes = |step| -> i64 {
        let both = partitions(before, step).chain(partitions(after, step));
        both.map(|row| row.counters.writes).sum()
    };
    let steps = Job::DayStatistics.steps().iter().copied();
    for step in steps.filter(|step| step.is_partitioned()) {
        assert_eq!(writes(step), writes(Step::DayStatistics), "{step:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_unowned_partitions_and_leaves_owned_ones_to_their_workers() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 3).await;
    let [owned, expired, free] = test_worker.partitions[..] else {
        panic!("three partitions");
    };
    test_worker.claim(expired, 1).await;
    test_worker.expire_leases().await;
    let mut claim = test_worker.claim(owned, 2).await;
    test_worker.chunk(&mut claim, 5).await.unwrap();
    test_worker.launcher.stop(test_worker.job).await.unwrap();

    let row = test_worker.row(owned).await;
    assert_eq!(
        (row.status, row.version),
        (BatchStatus::Started, claim.version)
    );
    for (id, version) in [(expired, 2), (free, 1)] {
        let row = test_worker.row(id).await;
        assert_eq!((row.status, row.version), (BatchStatus::Stopped, version));
        assert_eq!(row.exit_code, ExitCode::STOPPED);
    }
    assert!(test_worker.claimable().await.is_empty());
    let status = env.store.execution_status(test_worker.job).await.unwrap();
    assert_eq!(status, BatchStatus::Stopping);

    env.store.end(&claim, Ending::Stopped).await.unwrap();
    assert_eq!(
        test_worker.launcher.advance(test_worker.job).await.unwrap(),
        Some(BatchStatus::Stopped)
    );
    // The restart continues from the cursor in the stored context.
    let again = test_worker
        .launcher
        .restart(test_worker.job)
        .await
        .unwrap()
        .id;
    let first = test_worker.claimable().await[0];
    let resumed = test_worker.claim(first, 3).await;
    assert_eq!(resumed.name, claim.name);
    assert_eq!(resumed.state, claim.state);
    env.store.release(&resumed, 0).await.unwrap();
    assert_eq!(
        test_worker.finish(again).await.status,
        BatchStatus::Completed
    );
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_with_nothing_left_undone_ends_completed() {
    let env = env().await;
    // The last chunk of the only partition of the last step.
    stop_at_chunk(&env, "periodRollupStep:partition0", 1).await;
    let shape = Shape {
        partitions: 1,
        chunk_size: 1_000,
        ..Shape::default()
    };
    let ended = env.settle(date(DAY), shape).await.unwrap();
    assert_eq!(ended.status, BatchStatus::Completed);
    assert_eq!(ended.exit_code, ExitCode::COMPLETED);
    assert_managers_are_sums(&env, ended.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_anything_began_restarts_from_the_beginning() {
    let env = env().await;
    let id = env
        .store
        .launch(
            Job::DayStatistics,
            date(DAY),
            &LaunchedBy::Operator(Actor::Console),
            None,
        )
        .await
        .unwrap()
        .id;
    let launcher = env.launcher(4);
    launcher.stop(id).await.unwrap();
    let stopped = env.store.execution(id).await.unwrap().unwrap();
    assert_eq!(stopped.status, BatchStatus::Stopped);
    assert!(env.steps(id).await.is_empty());
    let ended = restart(&env, id, Shape::default()).await;
    assert_eq!(ended.status, BatchStatus::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_restarts_only_what_is_not_completed() {
    let env = env().await;
    env.execute("UPDATE play_history SET play_time = -1 WHERE video_id = 1")
        .await;
    let failed = env.settle(date(DAY), Shape::default()).await.unwrap();
    assert_eq!(failed.status, BatchStatus::Failed);
    let before = env.steps(failed.id).await;
    let undone: Vec<String> = partitions(&before, Step::DayStatistics)
        .filter(|row| row.status != BatchStatus::Completed)
        .map(|row| row.name.to_string())
        .collect();
    assert_eq!(undone, ["dayStatisticsStep:partition0"]);
    env.execute("UPDATE play_history SET play_time = 10 WHERE video_id = 1")
        .await;
    // A launch of a failed date is a restart, with any number of partitions.
    let shape = Shape {
        partitions: 9,
        ..Shape::default()
    };
    let ended = env.settle(date(DAY), shape).await.unwrap();
    assert_eq!(
        (ended.status, ended.instance_id),
        (BatchStatus::Completed, failed.instance_id)
    );
    let after = env.steps(ended.id).await;
    let again: Vec<String> = partitions(&after, Step::DayStatistics)
        .map(|row| row.name.to_string())
        .collect();
    assert_eq!(again, undone);
    assert_only_the_rest_ran(&before, &after);
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_launches_at_once_make_one_execution() {
    let env = env().await;
    let launcher = env.launcher(4);
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(10));
    let mut launches = JoinSet::new();
    for _ in 0..10 {
        let (launcher, barrier) = (launcher.clone(), barrier.clone());
        launches.spawn(async move {
            barrier.wait().await;
            launcher.launch(date(DAY)).await
        });
    }
    let mut launched = Vec::new();
    for launch in launches.join_all().await {
        match launch {
            Ok(one) => launched.push(one.id),
            Err(JobError::AlreadyRunning { date: day, .. }) => assert_eq!(day, date(DAY)),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(launched.len(), 1);
    assert_eq!(
        env.rows("SELECT COUNT(*) FROM BATCH_JOB_EXECUTION").await,
        ["1"]
    );
    assert_eq!(
        env.rows("SELECT COUNT(*) FROM BATCH_JOB_INSTANCE").await,
        ["1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn advancing_is_idempotent_and_plans_once() {
    let env = env().await;
    let test_worker = TestWorker::launch(&env, DAY, 4).await;
    let rows = "SELECT * FROM BATCH_STEP_EXECUTION ORDER BY 1";
    let before = env.rows(rows).await;
    let ranges = env
        .store
        .plan(Step::DayStatistics, date(DAY), 7)
        .await
        .unwrap();
    let plan = Plan {
        step: Step::DayStatistics,
        ranges,
    };
    for plan in [None, Some(plan.clone()), Some(plan)] {
        let advanced = env.store.advance(test_worker.job, plan).await.unwrap();
        assert_eq!(advanced, Advance::Waiting);
    }
    assert_eq!(env.rows(rows).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_calls_of_advance_advance_once() {
    let env = env().await;
    let (launcher, worker) = env.worker(Shape::default()).await;
    let id = launcher.launch(date(DAY)).await.unwrap().id;
    let mut others = JoinSet::new();
    for _ in 0..4 {
        let launcher = launcher.clone();
        others.spawn(async move {
            while launcher
                .store
                .execution_status(id)
                .await
                .unwrap()
                .is_running()
            {
                launcher.advance(id).await.unwrap();
            }
        });
    }
    others.join_all().await;
    assert!(worker.stop().await);
    let names = "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION GROUP BY STEP_NAME HAVING COUNT(*) > 1";
    assert!(env.rows(names).await.is_empty());
    assert_eq!(env.wait(id).await.status, BatchStatus::Completed);
    assert_eq!(env.results().await, undisturbed(&plays(), DAY).await);
}
