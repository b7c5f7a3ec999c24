//! Wiring: the one place that names all adapters.

use crate::{
    progress,
    settings::{DEFAULT_TIMEZONE, Database, Settings},
};
use anyhow::Context;
use backon::{ExponentialBuilder, Retryable};
use balance_batch::execution::JobExecutionId;
use balance_domain::{
    calendar::BusinessTimezone,
    clock::{Clock, SystemClock},
};
use balance_redis::{RedisNotifier, RedisStream};
use balance_service::{
    events::stream::EventStream,
    jobs::{
        launcher::Launcher,
        notifier::{Notifier, NotifierError},
    },
    settings::{business_timezone, intake_shards, stored_intake_shards},
};
use balance_store::{LockOutcome, ProcessLock, Store, StoreError, operations::Actor};
use balance_worker::{
    Events, Worker,
    queue::{MemoryNotifier, NotificationBackend},
    settings::WorkerMode,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// An open database and what belongs to it.
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timezone: BusinessTimezone,
    sql: Arc<Store>,
    /// The fleet's queue, where there is one.
    fleet_notifier: Option<RedisNotifier>,
    /// The fleet's stream of events, where there is one.
    pub(crate) events: Option<Events>,
    /// The lock file beside a file; a server's processes know each other by their leases only.
    lock_path: Option<PathBuf>,
}

impl App {
    /// Opens the database of the settings, which is made where it is missing and `or_make` allows.
    pub(crate) async fn open(settings: Settings, or_make: bool) -> anyhow::Result<Self> {
        let database = settings.database()?;
        if let Database::Sqlite(path) = &database
            && !or_make
            && !path.exists()
        {
            anyhow::bail!(
                "there is no database {}; `balance import` or `balance migrate` makes one",
                path.display()
            );
        }
        Self::open_at(settings, &database).await
    }

    /// Opens another database with these settings.
    pub(crate) async fn open_at(settings: Settings, database: &Database) -> anyhow::Result<Self> {
        // Faults of the settings come before anything is made.
        settings.worker()?;
        let fleet_notifier = match database {
            Database::Sqlite(_) => None,
            Database::MySql(_) => open_notifier(&settings)?,
        };
        let events = match database {
            Database::Sqlite(_) => None,
            Database::MySql(_) => open_event_stream(&settings)?,
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let sql = Arc::new(open_store(&settings, database, &clock).await?);
        let store: Arc<Store> = Arc::<Store>::clone(&sql);
        let timezone =
            business_timezone(store.as_ref(), settings.business_timezone, DEFAULT_TIMEZONE).await?;
        Ok(Self {
            settings,
            store,
            clock,
            timezone,
            sql,
            fleet_notifier,
            events,
            lock_path: match database {
                Database::Sqlite(path) => Some(Store::lock_path(path)),
                Database::MySql(_) => None,
            },
        })
    }

    /// A launcher, and the backend that its rings arrive at.
    pub(crate) fn launcher(&self) -> (Launcher, NotificationBackend) {
        let (queue, backend): (Arc<dyn Notifier>, NotificationBackend) = match &self.fleet_notifier
        {
            Some(queue) => (
                Arc::new(queue.clone()),
                NotificationBackend::Redis(queue.clone()),
            ),
            None => {
                let (queue, backend) = MemoryNotifier::new();
                (Arc::new(queue), NotificationBackend::Embedded(backend))
            }
        };
        let launcher = Launcher {
            store: Arc::clone(&self.store),
            queue,
            clock: Arc::clone(&self.clock),
            timezone: self.timezone,
            partitions: self.settings.partitions(),
            actor: Actor::Console,
        };
        (launcher, backend)
    }

    /// Finds out who else works on the database. On a file by a share of its lock file: a process
    /// that is alone lets the leases of dead ones run out at once, so that nobody waits for them;
    /// it lets others in by [`ProcessLock::share`]. On a server by the registry of workers.
    pub(crate) async fn join(&self) -> anyhow::Result<(Option<ProcessLock>, LockOutcome)> {
        let Some(path) = &self.lock_path else {
            let outcome = match self.store.slots().await? {
                0 => LockOutcome::Exclusive,
                _ => LockOutcome::Shared,
            };
            return Ok((None, outcome));
        };
        let (lock, outcome) = ProcessLock::take(path)?;
        if outcome == LockOutcome::Exclusive {
            self.store.expire_all_leases().await?;
        }
        Ok((Some(lock), outcome))
    }

    /// Starts a worker in this process.
    pub(crate) async fn start_worker(&self, mode: WorkerMode) -> anyhow::Result<LocalWorker> {
        self.check_stream().await?;
        let (lock, outcome) = self.join().await?;
        let orphaned = match outcome {
            LockOutcome::Exclusive => self.store.running().await?,
            LockOutcome::Shared => Vec::new(),
        };
        if let Some(lock) = &lock {
            lock.share()?;
        }
        let (launcher, backend) = self.launcher();
        let settings = self.settings.worker()?;
        let worker = Worker::start(
            launcher.clone(),
            settings,
            backend,
            self.events.clone(),
            mode,
        )
        .await;
        Ok(LocalWorker {
            launcher,
            orphaned,
            worker: Some(worker),
            _lock: lock,
        })
    }

    /// Refuses to work on a database whose plays come by a stream without that stream, or with
    /// another number of shards: a day would be closed before all of it is written down.
    pub(crate) async fn check_stream(&self) -> anyhow::Result<()> {
        let shards = self.settings.intake_shards;
        let stored = match &self.events {
            Some(_) => Some(intake_shards(self.store.as_ref(), shards).await?),
            None => stored_intake_shards(self.store.as_ref()).await?,
        };
        match stored {
            Some(_) if self.events.is_none() && self.lock_path.is_none() => {
                anyhow::bail!("REDIS_URL: needed, for the plays of this database come by a stream")
            }
            Some(stored) if stored != shards => anyhow::bail!(
                "INTAKE_SHARDS: {shards} is not {stored}, by which the plays of this database are \
                 spread; set it to {stored}"
            ),
            _ => Ok(()),
        }
    }

    /// A crew for one command: with a worker, or one that leaves the work to others.
    pub(crate) async fn local_worker(&self, no_work: bool) -> anyhow::Result<LocalWorker> {
        if !no_work {
            return self.start_worker(WorkerMode::OneShot).await;
        }
        if self.store.slots().await? == 0 {
            progress::line("no worker is seen; the work waits for one");
        }
        Ok(LocalWorker {
            launcher: self.launcher().0,
            orphaned: Vec::new(),
            worker: None,
            _lock: None,
        })
    }

    /// Refuses a fleet's process without the fleet's queue, and waits until that is there.
    pub(crate) async fn require_notifier(&self) -> anyhow::Result<()> {
        if self.is_file() {
            return Ok(());
        }
        let (Some(queue), Some(_)) = (&self.fleet_notifier, &self.events) else {
            anyhow::bail!("REDIS_URL: needed where the database is on a server");
        };
        connect(
            &self.settings,
            || queue.ping(),
            |error| matches!(error, NotifierError::Unavailable(_)),
        )
        .await
        .context("REDIS_URL")
    }

    /// The fleet's stream of events, where there is one.
    pub(crate) fn stream(&self) -> Option<Arc<dyn EventStream>> {
        self.events
            .as_ref()
            .map(|events| Arc::clone(&events.stream))
    }

    /// Whether the database is a file, and this machine all there is.
    pub(crate) const fn is_file(&self) -> bool {
        self.lock_path.is_some()
    }

    /// The folder of a database that is a file, where an import's temporary files go too.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        self.lock_path.as_deref()?.parent().map(Path::to_path_buf)
    }

    /// Closes the database.
    pub(crate) async fn close(self) {
        if let Some(queue) = &self.fleet_notifier {
            queue.flush().await;
        }
        self.sql.close().await;
    }
}

/// The fleet's queue, where its Redis is named. Connects when it is first used.
fn open_notifier(settings: &Settings) -> anyhow::Result<Option<RedisNotifier>> {
    let Some((name, url)) = settings.queue_url() else {
        return Ok(None);
    };
    RedisNotifier::open(url).map(Some).context(name)
}

/// The fleet's stream of events, where its Redis is named. Connects when it is first used.
fn open_event_stream(settings: &Settings) -> anyhow::Result<Option<Events>> {
    let Some(url) = &settings.redis_url else {
        return Ok(None);
    };
    let stream = RedisStream::open(url, settings.intake_shards).context("REDIS_URL")?;
    Ok(Some(Events {
        stream: Arc::new(stream),
        ad_interval_s: settings.ad_interval_s,
        retention_h: settings.stream_retention_h,
        close_timeout_s: settings.close_timeout_s,
    }))
}

async fn open_store(
    settings: &Settings,
    database: &Database,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Store> {
    match database {
        Database::Sqlite(path) => Store::open_sqlite(path, settings.readers(), Arc::clone(clock))
            .await
            .with_context(|| format!("the database {}", path.display())),
        // The URL may hold a password: it is not repeated.
        Database::MySql(url) => connect(
            settings,
            || {
                let clock = Arc::clone(clock);
                Store::open_mysql(url, settings.connections(), settings.lease_s, clock)
            },
            StoreError::is_transient,
        )
        .await
        .context("the database of DATABASE_URL"),
    }
}

/// Connects to a server, which may take a while to be there.
pub(crate) async fn connect<T, E, F, Fut>(
    settings: &Settings,
    call: F,
    is_unavailable: fn(&E) -> bool,
) -> anyhow::Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let limit_s = settings.connect_timeout_s;
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
        .with_total_delay(Some(Duration::from_secs(u64::from(limit_s))));
    let mut given_up = false;
    let connected = call
        .retry(backoff)
        .when(is_unavailable)
        .notify(|error, _| {
            given_up = true;
            progress::line(&format!("{error}; trying again for at most {limit_s} s"));
        })
        .await;
    match connected {
        Err(error) if given_up && is_unavailable(&error) => {
            Err(anyhow::Error::from(error).context(format!("gave up after {limit_s} s")))
        }
        connected => Ok(connected?),
    }
}

/// A launcher, and the worker in this process that it rings for, if there is one.
pub(crate) struct LocalWorker {
    pub(crate) launcher: Launcher,
    /// Executions that were running when this process found itself alone: dead ones left them.
    pub(crate) orphaned: Vec<JobExecutionId>,
    pub(crate) worker: Option<Worker>,
    _lock: Option<ProcessLock>,
}
