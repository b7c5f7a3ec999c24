//! `closeDayStep` beside a fleet's stream: what it waits for, and for how long.

use crate::env::{MICROS, Shape, TestEnv, date, day_of_plays};
use async_trait::async_trait;
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    job::Step,
    status::BatchStatus,
    step::StepExecution,
};
use balance_domain::clock::Clock;
use balance_service::events::stream::{Closed, EventStream, Retained, StreamError, SuppressedPage};
use balance_store::events::{Entry, EntryId};
use balance_worker::Events;
use chrono::NaiveDate;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

const EARLIER: &str = "2024-06-01";
const DAY: &str = "2024-06-02";
const LIMIT_S: u32 = 3_600;

/// A stream without entries, which says of every day what it is told to.
struct Told(Mutex<Result<Closed, &'static str>>);

impl Told {
    fn new(said: Result<Closed, &'static str>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(said)))
    }

    fn now(&self, said: Result<Closed, &'static str>) {
        *self.0.lock().unwrap() = said;
    }
}

#[async_trait]
impl EventStream for Told {
    async fn read(&self, _: &str, _: u32) -> Result<Vec<Entry>, StreamError> {
        Ok(Vec::new())
    }

    async fn waiting(&self) -> Result<Vec<u64>, StreamError> {
        Ok(Vec::new())
    }

    async fn acknowledge(&self, _: &[EntryId]) -> Result<(), StreamError> {
        Ok(())
    }

    async fn close(&self, _: i64) -> Result<Closed, StreamError> {
        self.0
            .lock()
            .unwrap()
            .map_err(|reason| StreamError(reason.to_owned()))
    }

    async fn trim(&self, _: i64) -> Result<(), StreamError> {
        Ok(())
    }

    async fn retained(&self) -> Result<Vec<Retained>, StreamError> {
        Ok(Vec::new())
    }

    async fn reread(
        &self,
        _: Option<EntryId>,
        _: EntryId,
        _: u32,
    ) -> Result<Vec<Entry>, StreamError> {
        Ok(Vec::new())
    }

    fn shards(&self) -> u16 {
        1
    }

    async fn suppressed(
        &self,
        _: u16,
        _: NaiveDate,
        _: u64,
        _: u32,
    ) -> Result<SuppressedPage, StreamError> {
        Ok(SuppressedPage {
            counts: Vec::new(),
            next: None,
        })
    }
}

fn events(stream: &Arc<Told>) -> Events {
    Events {
        stream: Arc::<Told>::clone(stream),
        ad_interval_s: 300,
        retention_h: 48,
        close_timeout_s: LIMIT_S,
    }
}

impl TestEnv {
    async fn close_step(&self, id: JobExecutionId) -> StepExecution {
        let steps = self.steps(id).await;
        let close = steps
            .into_iter()
            .find(|row| row.name.step == Step::CloseDay);
        close.expect("closeDayStep")
    }

    /// The second after which it is tried again passes, for a file's clock.
    async fn a_second(&self) {
        self.clock.set(self.clock.now_micros() + MICROS);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    /// Waits for an execution's end, second by second.
    async fn end_of(&self, id: JobExecutionId) -> JobExecution {
        let ended = async {
            loop {
                let execution = self.store.execution(id).await.unwrap().unwrap();
                if !execution.status.is_running() {
                    return execution;
                }
                self.a_second().await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
        ended.expect("the execution ends")
    }

    /// Waits until closeDayStep has been tried a few more times, second by second.
    async fn until_tried(&self, id: JobExecutionId) {
        let tries = "SELECT VERSION FROM BATCH_STEP_EXECUTION WHERE STEP_NAME = 'closeDayStep' \
                     AND JOB_EXECUTION_ID = ";
        let version = async || {
            let rows = self.rows(&format!("{tries}{}", id.0)).await;
            rows.first().map_or(0, |row| row.parse::<i64>().unwrap())
        };
        let first = version().await;
        let tried = async {
            while version().await < first + 6 {
                self.a_second().await;
            }
        };
        let tried = tokio::time::timeout(Duration::from_secs(60), tried).await;
        tried.expect("closeDayStep is tried again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_day_that_shows_up_late_is_waited_for_without_a_limit() {
    let env = TestEnv::new().await;
    env.import(&day_of_plays(DAY, 20, 5), 0).await.unwrap();
    // The stream holds it up until the earlier day is there.
    let stream = Told::new(Ok(Closed::Waiting));
    let shape = Shape::default();
    let (launcher, worker) = env.worker_of_fleet(shape, events(&stream)).await;
    let later = launcher.launch(date(DAY)).await.unwrap().id;
    env.until_tried(later).await;
    env.import(&day_of_plays(EARLIER, 20, 5), 0).await.unwrap();
    stream.now(Ok(Closed::Drained));
    env.until_tried(later).await;
    env.clock
        .set(env.clock.now_micros() + 3 * i64::from(LIMIT_S) * MICROS);
    env.until_tried(later).await;
    let waiting = env.store.execution(later).await.unwrap().unwrap();
    assert_eq!(waiting.status, BatchStatus::Started);
    assert_eq!(env.store.closed_through().await.unwrap(), None);

    // Its turn comes, and with it the whole time for the stream.
    let earlier = launcher.launch(date(EARLIER)).await.unwrap().id;
    let earlier = env.end_of(earlier).await;
    assert_eq!(earlier.status, BatchStatus::Completed);
    let later = env.end_of(later).await;
    assert_eq!(later.status, BatchStatus::Completed);
    let closed = env.store.closed_through().await.unwrap();
    assert_eq!(closed, Some(date(DAY)));
    assert!(worker.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_stream_does_not_say_is_drained_is_not_closed_and_fails_at_the_limit() {
    for (said, reason) in [
        (Ok(Closed::NotOver), "not over"),
        (Ok(Closed::Waiting), "events wait"),
        (Err("refused"), "away: refused"),
    ] {
        let env = TestEnv::new().await;
        env.import(&day_of_plays(DAY, 20, 5), 0).await.unwrap();
        let stream = Told::new(said);
        let shape = Shape::default();
        let (launcher, worker) = env.worker_of_fleet(shape, events(&stream)).await;
        let id = launcher.launch(date(DAY)).await.unwrap().id;
        env.until_tried(id).await;
        assert_eq!(env.close_step(id).await.status, BatchStatus::Started);
        env.clock
            .set(env.clock.now_micros() + i64::from(LIMIT_S) * MICROS);
        let failed = env.end_of(id).await;
        assert_eq!(failed.status, BatchStatus::Failed);
        let close = env.close_step(id).await;
        let told = format!("not closed within {LIMIT_S} s");
        for words in [told.as_str(), reason] {
            assert!(close.exit_message.contains(words), "{close:?}");
        }
        assert_eq!(env.store.closed_through().await.unwrap(), None);
        // Tried again when the stream is there, it has the whole time once more.
        stream.now(Ok(Closed::Drained));
        let again = launcher.restart(id).await.unwrap().id;
        assert_eq!(env.end_of(again).await.status, BatchStatus::Completed);
        assert!(worker.stop().await);
    }
}
