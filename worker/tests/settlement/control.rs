//! What people do to executions: launch, stop, restart, abandon, and what is refused.

use crate::{
    hand::{Hand, undisturbed},
    world::{Shape, World, date, even_day},
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    job::{Job, Step},
    status::{BatchStatus, ExitCode},
    step::{Counters, StepExecution},
};
use balance_domain::playback::Play;
use balance_store::{
    claims::Ending,
    jobs::{Advance, JobRefusal, LaunchedBy, Plan},
    operations::Actor,
};
use tokio::task::JoinSet;

const DAY: &str = "2024-06-01";

fn plays() -> Vec<Play> {
    even_day(DAY, 400, 60)
}

async fn world() -> World {
    let world = World::new().await;
    world.import(&plays(), 1).await.unwrap();
    world
}

/// Asks an execution to stop, inside the transaction of a partition's n-th chunk.
async fn stop_at_chunk(world: &World, partition: &str, chunk: i64) {
    world
        .trigger(
            "stop",
            ("BATCH_STEP_EXECUTION", "COMMIT_COUNT"),
            &format!("NEW.STEP_NAME = '{partition}' AND NEW.COMMIT_COUNT = {chunk}"),
            "UPDATE BATCH_JOB_EXECUTION SET STATUS = 'STOPPING', VERSION = VERSION + 1 \
             WHERE JOB_EXECUTION_ID = NEW.JOB_EXECUTION_ID;",
        )
        .await;
}

async fn restart(world: &World, id: JobExecutionId, shape: Shape) -> JobExecution {
    let (launcher, worker) = world.worker(shape).await;
    let launched = launcher.restart(id).await.unwrap();
    assert!(launched.is_restart);
    let execution = world.wait(launched.id).await;
    assert!(worker.stop().await);
    execution
}

/// Each ended manager's counters are the sums of its partitions.
async fn assert_managers_are_sums(world: &World, id: JobExecutionId) {
    let steps = world.steps(id).await;
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
        let world = world().await;
        stop_at_chunk(&world, partition, chunk).await;
        let shape = Shape {
            chunk_size: 4,
            ..Shape::default()
        };
        let stopped = world.settle(date(DAY), shape).await.unwrap();
        assert_eq!(stopped.status, BatchStatus::Stopped, "{partition}");
        assert_eq!(stopped.exit_code, ExitCode::STOPPED);
        assert_managers_are_sums(&world, stopped.id).await;
        let steps = world.steps(stopped.id).await;
        let halted = steps
            .iter()
            .find(|row| row.name.to_string() == partition)
            .unwrap();
        // Asked before each chunk: not one more was written.
        assert_eq!(
            (halted.status, halted.counters.commits),
            (BatchStatus::Stopped, chunk)
        );
        assert_eq!(halted.exit_code, ExitCode::STOPPED);
        assert!(halted.end_time.is_some());

        world.sql("DROP TRIGGER stop").await;
        let ended = restart(&world, stopped.id, shape).await;
        assert_eq!(ended.status, BatchStatus::Completed);
        assert_eq!(ended.exit_code, ExitCode::COMPLETED);
        assert_eq!(ended.instance_id, stopped.instance_id);
        assert_managers_are_sums(&world, ended.id).await;
        assert_only_the_rest_ran(&steps, &world.steps(ended.id).await);
        assert_eq!(world.results().await, undisturbed(&plays(), DAY).await);
    }
}

/// What was COMPLETED has no row in the restart; what was not has one of the same name, and both
/// together did each video once.
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
    assert_eq!(writes(Step::DayStatistics), writes(Step::DayRevenue));
    assert_eq!(writes(Step::DayStatistics), writes(Step::PeriodRollup));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_what_nobody_holds_and_leaves_what_runs_to_its_owner() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 3).await;
    let [held, expired, free] = hand.partitions[..] else {
        panic!("three partitions");
    };
    hand.claim(expired, 1).await;
    hand.let_leases_run_out().await;
    let mut claim = hand.claim(held, 2).await;
    hand.chunk(&mut claim, 5).await.unwrap();
    hand.launcher.stop(hand.job).await.unwrap();

    let row = hand.row(held).await;
    assert_eq!(
        (row.status, row.version),
        (BatchStatus::Started, claim.version)
    );
    for (id, version) in [(expired, 2), (free, 1)] {
        let row = hand.row(id).await;
        assert_eq!((row.status, row.version), (BatchStatus::Stopped, version));
        assert_eq!(row.exit_code, ExitCode::STOPPED);
    }
    assert!(hand.claimable().await.is_empty());
    let status = world.store.execution_status(hand.job).await.unwrap();
    assert_eq!(status, BatchStatus::Stopping);

    world.store.end(&claim, Ending::Stopped).await.unwrap();
    assert_eq!(
        hand.launcher.advance(hand.job).await.unwrap(),
        Some(BatchStatus::Stopped)
    );
    // The restart goes on from the cursor in the stored context.
    let again = hand.launcher.restart(hand.job).await.unwrap().id;
    let first = hand.claimable().await[0];
    let resumed = hand.claim(first, 3).await;
    assert_eq!(resumed.name, claim.name);
    assert_eq!(resumed.state, claim.state);
    world.store.release(&resumed, 0).await.unwrap();
    assert_eq!(hand.finish(again).await.status, BatchStatus::Completed);
    assert_eq!(world.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_with_nothing_left_undone_ends_completed() {
    let world = world().await;
    // The last chunk of the only partition of the last step.
    stop_at_chunk(&world, "periodRollupStep:partition0", 1).await;
    let shape = Shape {
        partitions: 1,
        chunk_size: 1_000,
        ..Shape::default()
    };
    let ended = world.settle(date(DAY), shape).await.unwrap();
    assert_eq!(ended.status, BatchStatus::Completed);
    assert_eq!(ended.exit_code, ExitCode::COMPLETED);
    assert_managers_are_sums(&world, ended.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_anything_began_restarts_from_the_beginning() {
    let world = world().await;
    let id = world
        .store
        .launch(
            Job::DayStatistics,
            date(DAY),
            &LaunchedBy::Person(Actor::Console),
            None,
        )
        .await
        .unwrap()
        .id;
    let launcher = world.launcher(4);
    launcher.stop(id).await.unwrap();
    let stopped = world.store.execution(id).await.unwrap().unwrap();
    assert_eq!(stopped.status, BatchStatus::Stopped);
    assert!(world.steps(id).await.is_empty());
    let ended = restart(&world, id, Shape::default()).await;
    assert_eq!(ended.status, BatchStatus::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_restarts_only_what_is_not_completed() {
    let world = world().await;
    world
        .sql("UPDATE play_history SET play_time = -1 WHERE video_id = 1")
        .await;
    let failed = world.settle(date(DAY), Shape::default()).await.unwrap();
    assert_eq!(failed.status, BatchStatus::Failed);
    let before = world.steps(failed.id).await;
    let undone: Vec<String> = partitions(&before, Step::DayStatistics)
        .filter(|row| row.status != BatchStatus::Completed)
        .map(|row| row.name.to_string())
        .collect();
    assert_eq!(undone, ["dayStatisticsStep:partition0"]);
    world
        .sql("UPDATE play_history SET play_time = 10 WHERE video_id = 1")
        .await;
    // A launch of a failed date is its restart, whatever the number of partitions by now.
    let shape = Shape {
        partitions: 9,
        ..Shape::default()
    };
    let ended = world.settle(date(DAY), shape).await.unwrap();
    assert_eq!(
        (ended.status, ended.instance_id),
        (BatchStatus::Completed, failed.instance_id)
    );
    let after = world.steps(ended.id).await;
    let again: Vec<String> = partitions(&after, Step::DayStatistics)
        .map(|row| row.name.to_string())
        .collect();
    assert_eq!(again, undone);
    assert_only_the_rest_ran(&before, &after);
    assert_eq!(world.results().await, undisturbed(&plays(), DAY).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_launches_at_once_make_one_execution() {
    let world = world().await;
    let launcher = world.launcher(4);
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
            Err(JobRefusal::AlreadyRunning { date: day, .. }) => assert_eq!(day, date(DAY)),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(launched.len(), 1);
    assert_eq!(
        world.rows("SELECT COUNT(*) FROM BATCH_JOB_EXECUTION").await,
        ["1"]
    );
    assert_eq!(
        world.rows("SELECT COUNT(*) FROM BATCH_JOB_INSTANCE").await,
        ["1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn advancing_is_idempotent_and_plans_once() {
    let world = world().await;
    let hand = Hand::launch(&world, DAY, 4).await;
    let rows = "SELECT * FROM BATCH_STEP_EXECUTION ORDER BY 1";
    let before = world.rows(rows).await;
    let ranges = world
        .store
        .plan(Step::DayStatistics, date(DAY), 7)
        .await
        .unwrap();
    let plan = Plan {
        step: Step::DayStatistics,
        ranges,
    };
    for plan in [None, Some(plan.clone()), Some(plan)] {
        let advanced = world.store.advance(hand.job, plan).await.unwrap();
        assert_eq!(advanced, Advance::Waiting);
    }
    assert_eq!(world.rows(rows).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_advance_do_it_once() {
    let world = world().await;
    let (launcher, worker) = world.worker(Shape::default()).await;
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
    assert!(world.rows(names).await.is_empty());
    assert_eq!(world.wait(id).await.status, BatchStatus::Completed);
    assert_eq!(world.results().await, undisturbed(&plays(), DAY).await);
}
