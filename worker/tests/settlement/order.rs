//! Days are settled in order, even if plays of an earlier day arrive late.

use crate::test_worker::TestWorker;
use balance_batch::{
    job::Job,
    status::{BatchStatus, ExitCode},
    step::Counters,
};
use balance_store::{
    jobs::{JobError, LaunchedBy},
    operations::Actor,
};
use balance_test_support::settlement::{Shape, TestEnv, date, day_of_plays};

const EARLIER: &str = "2024-06-01";
const DAY: &str = "2024-06-02";

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_behind_a_day_that_came_later_is_rejected_until_that_is_settled() {
    let env = TestEnv::new().await;
    env.import(&day_of_plays(DAY, 20, 5), 0).await.unwrap();
    // Launched, and stopped before its day was closed.
    let launched = env
        .store
        .launch(
            Job::DayStatistics,
            date(DAY),
            &LaunchedBy::Operator(Actor::Console),
            None,
        )
        .await
        .unwrap();
    let launcher = env.launcher(2);
    launcher.stop(launched.id).await.unwrap();
    env.import(&day_of_plays(EARLIER, 20, 5), 0).await.unwrap();

    let is_rejected = |result| {
        let earlier = date(EARLIER);
        matches!(result, Err(JobError::EarlierDayUnsettled { earlier: named }) if named == earlier)
    };
    assert!(is_rejected(launcher.launch(date(DAY)).await));
    assert!(is_rejected(launcher.restart(launched.id).await));

    for day in [EARLIER, DAY] {
        let settled = env.settle(date(day), Shape::default()).await.unwrap();
        assert_eq!(settled.status, BatchStatus::Completed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn abandoned_while_running_the_managers_are_the_sums_of_their_partitions() {
    let env = TestEnv::new().await;
    env.import(&day_of_plays(DAY, 200, 40), 0).await.unwrap();
    let test_worker = TestWorker::launch(&env, DAY, 2).await;
    let mut claim = test_worker.claim(test_worker.partitions[0], 1).await;
    test_worker.chunk(&mut claim, 3).await.unwrap();
    env.store
        .stop(test_worker.job, &Actor::Console)
        .await
        .unwrap();
    env.store
        .abandon(test_worker.job, &Actor::Console)
        .await
        .unwrap();
    let steps = env.steps(test_worker.job).await;
    let mut sum = Counters::default();
    for row in steps.iter().filter(|row| row.name.partition.is_some()) {
        sum += row.counters;
    }
    assert_eq!(sum.writes, 3);
    for row in &steps {
        let is_manager = row.name.partition.is_none() && row.name.step.is_partitioned();
        if is_manager {
            assert_eq!((row.status, row.counters), (BatchStatus::Abandoned, sum));
        }
        assert_ne!(row.exit_code, ExitCode::EXECUTING, "{}", row.name);
        assert!(row.end_time.is_some(), "{}", row.name);
    }
}
