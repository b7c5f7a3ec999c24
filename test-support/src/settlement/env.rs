//! The environment of a settlement test.

use super::{PlayBatches, Shape, at, database::server_database, worker_settings};
use crate::TestClock;
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    step::StepExecution,
};
use balance_domain::{calendar::BusinessTimezone, playback::Play};
use balance_service::jobs::launcher::Launcher;
use balance_store::{
    Store,
    import::{ImportRules, PlayCounts, PlayImportError},
    jobs::JobError,
    operations::Actor,
    playback::RulesChange,
};
use balance_worker::{
    Worker,
    queue::{MemoryNotifier, NotificationBackend},
    settings::{EventStreamSettings, WorkerMode},
};
use chrono::NaiveDate;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;

/// A fresh database, a test clock, and the store on both.
pub struct TestEnv {
    folder: Arc<TempDir>,
    /// The URL of the database, if the tests run on a server (`TEST_SERVER_URL`).
    pub server: Option<String>,
    pub store: Arc<Store>,
    pub clock: Arc<TestClock>,
    pub timezone: BusinessTimezone,
}

impl TestEnv {
    /// Creates a fresh database: on the server of `TEST_SERVER_URL` if it is set, else a SQLite
    /// file. The time is 2024-06-30, 12:00 UTC.
    pub async fn new() -> Self {
        Self::create(server_database().await).await
    }

    /// Creates a fresh SQLite file, regardless of `TEST_SERVER_URL`.
    pub async fn embedded() -> Self {
        Self::create(None).await
    }

    async fn create(server: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock::at(at("2024-06-30T12:00:00Z"));
        let path = folder.path().join("balance.db");
        let clock_of_store = Arc::<TestClock>::clone(&clock);
        let store = match &server {
            Some(url) => {
                Store::migrate_mysql(url).await.unwrap();
                Store::open_mysql(url, 8, 15, clock_of_store).await.unwrap()
            }
            None => Store::open_sqlite(&path, 4, clock_of_store).await.unwrap(),
        };
        store
            .play_rules_or_insert(&RulesChange::default())
            .await
            .unwrap();
        Self {
            folder: Arc::new(folder),
            server,
            store: Arc::new(store),
            clock,
            timezone: "Asia/Seoul".parse().unwrap(),
        }
    }

    /// Opens the same database through separate connections, as another process does.
    pub async fn reopen(&self) -> Self {
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

    /// Returns the path of the SQLite file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("balance.db")
    }

    /// Returns a launcher whose notifications reach no worker.
    pub fn launcher(&self, partitions: u32) -> Launcher {
        self.launcher_with_backend(partitions).0
    }

    fn launcher_with_backend(&self, partitions: u32) -> (Launcher, NotificationBackend) {
        let (queue, backend) = MemoryNotifier::new();
        let store: Arc<Store> = Arc::<Store>::clone(&self.store);
        let launcher = Launcher {
            store,
            notifier: Arc::new(queue),
            clock: Arc::<TestClock>::clone(&self.clock),
            timezone: self.timezone,
            partitions,
            actor: Actor::Console,
        };
        (launcher, NotificationBackend::Embedded(backend))
    }

    /// Starts a worker, and returns it with the launcher that notifies it.
    pub async fn worker(&self, shape: Shape) -> (Launcher, Worker) {
        self.worker_with(shape, WorkerMode::OneShot, None).await
    }

    /// Starts a worker of a fleet, which reads its events from a stream.
    pub async fn fleet_worker(
        &self,
        shape: Shape,
        events: EventStreamSettings,
    ) -> (Launcher, Worker) {
        self.worker_with(shape, WorkerMode::OneShot, Some(events))
            .await
    }

    /// Starts a worker that launches days by itself, and returns it with the launcher that notifies
    /// it.
    pub async fn daemon(&self, shape: Shape, retention_days: u32) -> (Launcher, Worker) {
        self.worker_with(shape, WorkerMode::Daemon { retention_days }, None)
            .await
    }

    async fn worker_with(
        &self,
        shape: Shape,
        mode: WorkerMode,
        events: Option<EventStreamSettings>,
    ) -> (Launcher, Worker) {
        let (launcher, backend) = self.launcher_with_backend(shape.partitions);
        let settings = worker_settings(shape);
        let worker = Worker::start(launcher.clone(), settings, backend, events, mode).await;
        (launcher, worker)
    }

    /// Imports plays in any order, with a number of ads.
    pub async fn import(&self, plays: &[Play], ads: u32) -> Result<PlayCounts, PlayImportError> {
        let rules = ImportRules {
            timezone: self.timezone,
            view_window_s: 30,
            ad_interval_s: 300,
            rules_version: 0,
            ads,
            link_accounts: false,
        };
        let mut source = PlayBatches::sorted(plays.to_vec());
        let imported = self
            .store
            .import_plays(&mut source, rules, "plays.csv", &Actor::Console);
        Ok(imported.await?.counts)
    }

    /// Launches a day and waits for its end.
    pub async fn settle(&self, date: NaiveDate, shape: Shape) -> Result<JobExecution, JobError> {
        let (launcher, worker) = self.worker(shape).await;
        let launched = launcher.launch(date).await;
        let result = match launched {
            Ok(launched) => Ok(self.wait(launched.id).await),
            Err(error) => Err(error),
        };
        assert!(worker.stop().await);
        result
    }

    /// Waits for an execution's end, at most 60 seconds.
    pub async fn wait(&self, id: JobExecutionId) -> JobExecution {
        wait_for_end(&self.store, id).await
    }

    /// Returns all steps and partitions of an execution.
    pub async fn steps(&self, id: JobExecutionId) -> Vec<StepExecution> {
        self.store.steps(id, None, 100_000).await.unwrap()
    }
}

/// Waits for an execution's end, at most 60 seconds.
pub async fn wait_for_end(store: &Store, id: JobExecutionId) -> JobExecution {
    let ended = async {
        loop {
            let execution = store.execution(id).await.unwrap().unwrap();
            if !execution.status.is_running() {
                return execution;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended)
        .await
        .expect("the execution ends")
}
