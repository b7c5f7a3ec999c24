//! `closeDayStep` with a fleet's event stream: its conditions and its time limit.

use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    job::Step,
    status::BatchStatus,
    step::StepExecution,
};
use balance_domain::{clock::Clock, ids::FIRST_ASSIGNED_ID};
use balance_service::events::stream::Closed;
use balance_store::operations::{Actor, HighestIds};
use balance_test_support::settlement::{MICROS, Shape, TestEnv, date, day_of_plays};
use balance_test_support::stream::FakeStream;
use balance_worker::settings::EventStreamSettings;
use std::{sync::Arc, time::Duration};

const EARLIER: &str = "2024-06-01";
const DAY: &str = "2024-06-02";
const LIMIT_S: u32 = 3_600;

fn events(stream: &Arc<FakeStream>) -> EventStreamSettings {
    EventStreamSettings {
        stream: Arc::<FakeStream>::clone(stream),
        retention_h: 48,
        close_timeout_s: LIMIT_S,
    }
}

async fn close_step(env: &TestEnv, id: JobExecutionId) -> StepExecution {
    let steps = env.steps(id).await;
    let close = steps
        .into_iter()
        .find(|row| row.name.step == Step::CloseDay);
    close.expect("closeDayStep")
}

/// Advances the clock by a second, the delay of the next attempt.
async fn advance_a_second(env: &TestEnv) {
    env.clock.set(env.clock.now_micros() + MICROS);
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// Waits for an execution's end, and advances the clock meanwhile.
async fn end_of(env: &TestEnv, id: JobExecutionId) -> JobExecution {
    let ended = async {
        loop {
            let execution = env.store.execution(id).await.unwrap().unwrap();
            if !execution.status.is_running() {
                return execution;
            }
            advance_a_second(env).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
    ended.expect("the execution ends")
}

/// Waits until closeDayStep has been attempted several more times.
async fn until_retried(env: &TestEnv, id: JobExecutionId) {
    let versions = "SELECT VERSION FROM BATCH_STEP_EXECUTION WHERE STEP_NAME = 'closeDayStep' \
                 AND JOB_EXECUTION_ID = ";
    let version = async || {
        let rows = env.rows(&format!("{versions}{}", id.0)).await;
        rows.first().map_or(0, |row| row.parse::<i64>().unwrap())
    };
    let first = version().await;
    let retried = async {
        while version().await < first + 6 {
            advance_a_second(env).await;
        }
    };
    let retried = tokio::time::timeout(Duration::from_secs(60), retried).await;
    retried.expect("closeDayStep is retried");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_day_that_is_imported_late_delays_the_close_without_a_limit() {
    let env = TestEnv::new().await;
    env.import(&day_of_plays(DAY, 20, 5), 0).await.unwrap();
    // The stream delays the close until the plays of the earlier day are imported.
    let stream = FakeStream::closing(Ok(Closed::Waiting));
    let shape = Shape::default();
    let (launcher, worker) = env.fleet_worker(shape, events(&stream)).await;
    let later = launcher.launch(date(DAY)).await.unwrap().id;
    until_retried(&env, later).await;
    env.import(&day_of_plays(EARLIER, 20, 5), 0).await.unwrap();
    stream.set_closed(Ok(Closed::Drained));
    until_retried(&env, later).await;
    env.clock
        .set(env.clock.now_micros() + 3 * i64::from(LIMIT_S) * MICROS);
    until_retried(&env, later).await;
    let waiting = env.store.execution(later).await.unwrap().unwrap();
    assert_eq!(waiting.status, BatchStatus::Started);
    assert_eq!(env.store.closed_through().await.unwrap(), None);

    // After the earlier day, the time limit starts again.
    let earlier = launcher.launch(date(EARLIER)).await.unwrap().id;
    let earlier = end_of(&env, earlier).await;
    assert_eq!(earlier.status, BatchStatus::Completed);
    let later = end_of(&env, later).await;
    assert_eq!(later.status, BatchStatus::Completed);
    let closed = env.store.closed_through().await.unwrap();
    assert_eq!(closed, Some(date(DAY)));
    assert!(worker.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_not_drained_is_not_closed_and_fails_at_the_time_limit() {
    for (closed, reason) in [
        (Ok(Closed::NotOver), "not over"),
        (Ok(Closed::Waiting), "not persisted"),
        (Err("refused"), "unavailable: refused"),
    ] {
        let env = TestEnv::new().await;
        env.import(&day_of_plays(DAY, 20, 5), 0).await.unwrap();
        let stream = FakeStream::closing(closed);
        let shape = Shape::default();
        let (launcher, worker) = env.fleet_worker(shape, events(&stream)).await;
        let id = launcher.launch(date(DAY)).await.unwrap().id;
        until_retried(&env, id).await;
        assert_eq!(close_step(&env, id).await.status, BatchStatus::Started);
        env.clock
            .set(env.clock.now_micros() + i64::from(LIMIT_S) * MICROS);
        let failed = end_of(&env, id).await;
        assert_eq!(failed.status, BatchStatus::Failed);
        let close = close_step(&env, id).await;
        let limit = format!("not closed within {LIMIT_S} s");
        for words in [limit.as_str(), reason] {
            assert!(close.exit_message.contains(words), "{close:?}");
        }
        assert_eq!(env.store.closed_through().await.unwrap(), None);
        // After a restart the time limit starts again.
        stream.set_closed(Ok(Closed::Drained));
        let again = launcher.restart(id).await.unwrap().id;
        assert_eq!(end_of(&env, again).await.status, BatchStatus::Completed);
        assert!(worker.stop().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_a_database_that_is_older_than_its_stream_is_not_closed() {
    let env = TestEnv::new().await;
    env.import(&day_of_plays(DAY, 20, 5), 0).await.unwrap();
    let stream = FakeStream::closing(Ok(Closed::Drained));
    let seen = HighestIds {
        user: FIRST_ASSIGNED_ID,
        video: 0,
    };
    stream.set_highest(Ok(seen));
    let shape = Shape::default();
    let (launcher, worker) = env.fleet_worker(shape, events(&stream)).await;
    let id = launcher.launch(date(DAY)).await.unwrap().id;
    until_retried(&env, id).await;
    assert_eq!(close_step(&env, id).await.status, BatchStatus::Started);
    assert_eq!(env.store.closed_through().await.unwrap(), None);
    let restored = env.store.complete_restore(seen, &Actor::Console).await;
    restored.unwrap();
    assert_eq!(end_of(&env, id).await.status, BatchStatus::Completed);
    assert!(worker.stop().await);
}
