//! A world for a test: a fresh database in a folder of its own, a clock that stands where it is
//! put, and the real engine.

use crate::tables::server_database;
use async_trait::async_trait;
use balance_batch::{execution::JobExecution, step::StepExecution};
use balance_domain::{
    accounts::UserId, calendar::BusinessTimezone, clock::Clock, playback::Play, videos::VideoId,
};
use balance_service::jobs::launcher::Launcher;
use balance_store::{
    Store,
    import::{MAX_PLAY_BATCH, PlayCounts, PlayImportError, PlayRules, PlaySource, SourcedPlay},
    jobs::JobError,
    operations::{Actor, WorkerIdentity},
};
use balance_worker::{
    Events, Worker,
    queue::{MemoryNotifier, NotificationBackend},
    settings::{WorkerMode, WorkerSettings},
};
use chrono::NaiveDate;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

pub(crate) const MICROS: i64 = 1_000_000;

/// A date, from its text.
pub(crate) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// An instant (UTC) in microseconds, from its text.
pub(crate) fn at(text: &str) -> i64 {
    text.parse::<chrono::DateTime<chrono::Utc>>()
        .unwrap()
        .timestamp_micros()
}

/// A clock that tells what it was told.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_micros(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// How a day is settled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) partitions: u32,
    pub(crate) chunk_size: u32,
    pub(crate) concurrency: u32,
    pub(crate) skip_limit: u32,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            partitions: 4,
            chunk_size: 10,
            concurrency: 2,
            skip_limit: 0,
        }
    }
}

pub(crate) struct TestEnv {
    folder: Arc<TempDir>,
    /// The server's database, where the tests run on one (`TEST_SERVER_URL`).
    pub(crate) server: Option<String>,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) timezone: BusinessTimezone,
}

impl TestEnv {
    /// A fresh database: of the server that `TEST_SERVER_URL` names, else a file. The time is the
    /// noon (UTC) of 2024-06-30.
    pub(crate) async fn new() -> Self {
        Self::on(server_database().await).await
    }

    /// A fresh file, whatever the other tests run on.
    pub(crate) async fn embedded() -> Self {
        Self::on(None).await
    }

    async fn on(server: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(at("2024-06-30T12:00:00Z"))));
        let path = folder.path().join("balance.db");
        let clock_of_store = Arc::<TestClock>::clone(&clock);
        let store = match &server {
            Some(url) => {
                Store::migrate_mysql(url).await.unwrap();
                Store::open_mysql(url, 8, 15, clock_of_store).await.unwrap()
            }
            None => Store::open_sqlite(&path, 4, clock_of_store).await.unwrap(),
        };
        Self {
            folder: Arc::new(folder),
            server,
            store: Arc::new(store),
            clock,
            timezone: "Asia/Seoul".parse().unwrap(),
        }
    }

    /// The same database by connections of its own, as another process has them.
    pub(crate) async fn another(&self) -> Self {
        let clock = Arc::<TestClock>::clone(&self.clock);
        let store = match &self.server {
            Some(url) => Store::open_mysql(url, 8, 15, clock).await.unwrap(),
            None => Store::open_sqlite(&self.path(), 4, clock).await.unwrap(),
        };
        Self {
            folder: Arc::clone(&self.folder),
            server: self.server.clone(),
            store: Arc::new(store),
            clock: Arc::clone(&self.clock),
            timezone: self.timezone,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("balance.db")
    }

    /// A launcher whose rings nobody hears.
    pub(crate) fn launcher(&self, partitions: u32) -> Launcher {
        self.wired(partitions).0
    }

    fn wired(&self, partitions: u32) -> (Launcher, NotificationBackend) {
        let (queue, backend) = MemoryNotifier::new();
        let store: Arc<Store> = Arc::<Store>::clone(&self.store);
        let launcher = Launcher {
            store,
            queue: Arc::new(queue),
            clock: Arc::<TestClock>::clone(&self.clock),
            timezone: self.timezone,
            partitions,
            actor: Actor::Console,
        };
        (launcher, NotificationBackend::Embedded(backend))
    }

    /// A worker at work, and the launcher that rings for it.
    pub(crate) async fn worker(&self, shape: Shape) -> (Launcher, Worker) {
        self.worker_with(shape, WorkerMode::OneShot, None).await
    }

    /// A worker of a fleet, whose events come by a stream.
    pub(crate) async fn worker_of_fleet(&self, shape: Shape, events: Events) -> (Launcher, Worker) {
        self.worker_with(shape, WorkerMode::OneShot, Some(events))
            .await
    }

    /// A worker that launches days by itself, and the launcher that rings for it.
    pub(crate) async fn resident(&self, shape: Shape, retention_days: u32) -> (Launcher, Worker) {
        self.worker_with(shape, WorkerMode::Daemon { retention_days }, None)
            .await
    }

    async fn worker_with(
        &self,
        shape: Shape,
        mode: WorkerMode,
        events: Option<Events>,
    ) -> (Launcher, Worker) {
        let (launcher, backend) = self.wired(shape.partitions);
        let worker = Worker::start(launcher.clone(), settings(shape), backend, events, mode).await;
        (launcher, worker)
    }

    /// Imports plays in the order given; the store wants them in the order of time.
    pub(crate) async fn import(
        &self,
        plays: &[Play],
        ads: u32,
    ) -> Result<PlayCounts, PlayImportError> {
        let rules = PlayRules {
            timezone: self.timezone,
            view_window_s: 30,
            ad_interval_s: 300,
            ads,
        };
        let mut sorted = plays.to_vec();
        sorted.sort_by_key(|play| (play.started_at_micros, play.user_id, play.video_id));
        let mut source = Plays(sorted);
        self.store.import_plays(&mut source, rules).await
    }

    /// Launches a day and waits for its end.
    pub(crate) async fn settle(
        &self,
        date: NaiveDate,
        shape: Shape,
    ) -> Result<JobExecution, JobError> {
        let (launcher, worker) = self.worker(shape).await;
        let launched = launcher.launch(date).await;
        let result = match launched {
            Ok(launched) => Ok(self.wait(launched.id).await),
            Err(error) => Err(error),
        };
        assert!(worker.stop().await);
        result
    }

    /// Waits for an execution's end.
    pub(crate) async fn wait(&self, id: balance_batch::execution::JobExecutionId) -> JobExecution {
        let ended = async {
            loop {
                let execution = self.store.execution(id).await.unwrap().unwrap();
                if !execution.status.is_running() {
                    return execution;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ended)
            .await
            .expect("the execution ends")
    }

    /// All steps and partitions of an execution.
    pub(crate) async fn steps(
        &self,
        id: balance_batch::execution::JobExecutionId,
    ) -> Vec<StepExecution> {
        self.store.steps(id, None, 100_000).await.unwrap()
    }
}

/// The settings of a worker in a test.
pub(crate) fn settings(shape: Shape) -> WorkerSettings {
    WorkerSettings {
        identity: WorkerIdentity {
            name: format!("test-{:016x}", rand::random::<u64>()),
            host: "test".to_owned(),
            process_id: std::process::id(),
            version: "0".to_owned(),
            concurrency: shape.concurrency,
        },
        lease_s: 15,
        chunk_timeout_s: 60,
        grace_s: 30,
        chunk_size: shape.chunk_size,
        skip_limit: shape.skip_limit,
        retry_limit: 3,
    }
}

/// A play of 10 seconds of a video of 100 seconds, whose owner is user 1,000,000.
pub(crate) fn play(user: i64, video: i64, started_at_micros: i64) -> Play {
    Play {
        user_id: UserId(user),
        video_id: VideoId(video),
        owner_id: UserId(1_000_000),
        started_at_micros,
        play_time_s: 10,
        duration_s: 100,
    }
}

/// So many plays of so many videos on one day (Seoul), no two of one user, so no repeats.
pub(crate) fn day_of_plays(day: &str, plays: i64, videos: i64) -> Vec<Play> {
    let noon = at(&format!("{day}T03:00:00Z"));
    (0..plays)
        .map(|n| play(n + 1, n * n % videos + 1, noon + n * MICROS))
        .collect()
}

/// The same, with each video played equally often.
pub(crate) fn even_day(day: &str, plays: i64, videos: i64) -> Vec<Play> {
    let noon = at(&format!("{day}T03:00:00Z"));
    (0..plays)
        .map(|n| play(n + 1, n % videos + 1, noon + n * MICROS))
        .collect()
}

struct Plays(Vec<Play>);

#[async_trait]
impl PlaySource for Plays {
    async fn next(&mut self) -> Result<Vec<SourcedPlay>, PlayImportError> {
        let count = self.0.len().min(MAX_PLAY_BATCH);
        Ok(self
            .0
            .drain(..count)
            .zip(1..)
            .map(|(play, line)| SourcedPlay {
                play,
                file: 0,
                line,
            })
            .collect())
    }
}
