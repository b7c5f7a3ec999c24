//! The schedule: days that are launched automatically, and days that wait for an admin.

use balance_batch::{
    chunk::ClaimToken,
    execution::{JobExecution, JobExecutionId},
    job::Job,
    status::BatchStatus,
};
use balance_domain::clock::Clock;
use balance_store::claims::Claimed;
use balance_test_support::settlement::{MICROS, Shape, TestEnv, date, day_of_plays};

const DAYS: [&str; 3] = ["2024-06-01", "2024-06-03", "2024-06-04"];

async fn env(days: &[&str]) -> TestEnv {
    let env = TestEnv::new().await;
    for day in days {
        env.import(&day_of_plays(day, 60, 20), 1).await.unwrap();
    }
    env
}

async fn executions(env: &TestEnv) -> Vec<JobExecution> {
    let mut all = env.store.executions(None, 1_000).await.unwrap();
    all.reverse();
    all
}

/// Waits until a number of executions exists and all have ended.
async fn until_ended(env: &TestEnv, count: usize) -> Vec<JobExecution> {
    let ended = async {
        loop {
            let all = executions(env).await;
            if all.len() >= count && all.iter().all(|one| !one.status.is_running()) {
                return all;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), ended)
        .await
        .expect("all executions end")
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_days_are_settled_in_order_by_any_worker() {
    let env = env(&DAYS).await;
    let other = env.reopen().await;
    let (_, one) = env.daemon(Shape::default(), 90).await;
    let (_, two) = other.daemon(Shape::default(), 90).await;
    let all = until_ended(&env, 3).await;
    assert!(one.stop().await);
    assert!(two.stop().await);
    let dates: Vec<_> = all.iter().map(|one| one.date).collect();
    assert_eq!(dates, DAYS.map(date), "one execution each, in order");
    for pair in all.windows(2) {
        assert!(pair[0].end_time <= pair[1].create_time.into());
    }
    assert!(all.iter().all(|one| one.status == BatchStatus::Completed));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_checks_of_the_schedule_launch_a_day_once() {
    let env = env(&DAYS[..1]).await;
    let mut checks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let launcher = env.reopen().await.launcher(2);
        checks.spawn(async move { launcher.launch_due().await.unwrap() });
    }
    let launched: Vec<JobExecutionId> = checks.join_all().await.into_iter().flatten().collect();
    assert_eq!(launched.len(), 1);
    assert_eq!(executions(&env).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_launched_when_it_is_over_and_only_if_there_were_plays() {
    let env = TestEnv::new().await;
    let launcher = env.launcher(2);
    assert_eq!(
        launcher.launch_due().await.unwrap(),
        None,
        "no plays at all"
    );
    // In Seoul it is June 30, 21:00.
    env.import(&day_of_plays("2024-06-30", 10, 5), 0)
        .await
        .unwrap();
    assert_eq!(launcher.launch_due().await.unwrap(), None, "not over");
    let now = env.clock.now_micros();
    let midnight = launcher.next_midnight_micros(now).unwrap();
    assert_eq!(midnight - now, 3 * 3_600 * MICROS);
    env.clock.set(midnight - 1);
    assert_eq!(
        launcher.launch_due().await.unwrap(),
        None,
        "a microsecond before"
    );
    env.clock.set(midnight);
    assert!(launcher.launch_due().await.unwrap().is_some());
    assert_eq!(executions(&env).await[0].date, date("2024-06-30"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_failed_and_abandoned_days_wait_for_an_admin() {
    let env = env(&DAYS).await;
    let launcher = env.launcher(2);
    let id = launcher.launch_due().await.unwrap().unwrap();
    assert_eq!(launcher.launch_due().await.unwrap(), None, "it runs");
    launcher.stop(id).await.unwrap();
    let stopped = executions(&env).await;
    assert_eq!(stopped[0].status, BatchStatus::Stopped);
    assert_eq!(launcher.launch_due().await.unwrap(), None, "stopped");
    let again = launcher.restart(id).await.unwrap().id;
    env.execute(&format!(
        "UPDATE BATCH_JOB_EXECUTION SET STATUS = 'FAILED' WHERE JOB_EXECUTION_ID = {again}"
    ))
    .await;
    env.clock.set(env.clock.now_micros() + 7_200 * MICROS);
    assert_eq!(launcher.launch_due().await.unwrap(), None, "failed");
    launcher.abandon(again).await.unwrap();
    assert_eq!(launcher.launch_due().await.unwrap(), None, "abandoned");
    assert_eq!(executions(&env).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_failed_to_close_is_retried_with_growing_delays() {
    let env = env(&DAYS[..1]).await;
    let launcher = env.launcher(2);
    launcher.launch_due().await.unwrap().unwrap();
    for wait_s in [60, 120, 240] {
        fail_to_close(&env).await;
        assert_eq!(launcher.launch_due().await.unwrap(), None, "at once");
        env.clock.set(env.clock.now_micros() + wait_s * MICROS - 1);
        assert_eq!(
            launcher.launch_due().await.unwrap(),
            None,
            "before {wait_s} s"
        );
        env.clock.set(env.clock.now_micros() + 1);
        assert!(
            launcher.launch_due().await.unwrap().is_some(),
            "after {wait_s} s"
        );
    }
    let execution = settle_running(&env, &launcher).await;
    assert_eq!(execution.status, BatchStatus::Completed);
}

/// Crashes `closeDayStep` until it is FAILED.
async fn fail_to_close(env: &TestEnv) {
    let store = &env.store;
    for _ in 0..10 {
        let claimable = store.claimable(1).await.unwrap();
        let token = ClaimToken(rand::random());
        match store.claim(claimable[0], token, "dies", 15).await.unwrap() {
            Claimed::Failed {
                job_execution_id, ..
            } => {
                env.launcher(2).advance(job_execution_id).await.unwrap();
                let newest = executions(env).await.pop().unwrap();
                assert_eq!(newest.status, BatchStatus::Failed);
                return;
            }
            _ => env.advance(16 * MICROS).await,
        }
    }
    panic!("three crashes are enough");
}

/// Settles the running execution.
async fn settle_running(
    env: &TestEnv,
    launcher: &balance_service::jobs::launcher::Launcher,
) -> JobExecution {
    let (_, worker) = env.worker(Shape::default()).await;
    let newest = launcher.store.executions(None, 1).await.unwrap().remove(0);
    let execution = env.wait(newest.id).await;
    assert!(worker.stop().await);
    execution
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_shot_worker_launches_no_day() {
    let env = env(&DAYS).await;
    let settled = env.settle(date(DAYS[0]), Shape::default()).await.unwrap();
    assert_eq!(settled.status, BatchStatus::Completed);
    let of_next = env
        .store
        .executions_of(Job::DayStatistics, date(DAYS[1]))
        .await
        .unwrap();
    assert_eq!(of_next, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_day_holds_up_the_days_after_it() {
    let env = env(&DAYS).await;
    env.reject_inserts("video_revenue", "NEW.video_id = 2", "unsettleable")
        .await;
    let (launcher, worker) = env.daemon(Shape::default(), 90).await;
    until_ended(&env, 1).await;
    assert_eq!(launcher.launch_due().await.unwrap(), None);
    assert!(worker.stop().await);
    let all = executions(&env).await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].status, BatchStatus::Failed);
}
