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
use balance_redis::{RedisQueue, RedisStream};
use balance_service::{
    events::stream::EventStream,
    jobs::{
        launcher::Launcher,
        notifier::{Queue, QueueError},
    },
    settings::{business_timezone, intake_shards, stored_intake_shards},
};
use balance_store::{Company, ProcessLock, Store, StoreError, operations::Actor};
use balance_worker::{
    Events, Worker,
    queue::{EmbeddedQueue, QueueBackend},
    settings::Duties,
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
    fleet_queue: Option<RedisQueue>,
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
        let fleet_queue = match database {
            Database::Sqlite(_) => None,
            Database::MySql(_) => open_queue(&settings)?,
        };
        let events = match database {
            Database::Sqlite(_) => None,
            Database::MySql(_) => open_events(&settings)?,
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
            fleet_queue,
            events,
            lock_path: match database {
                Database::Sqlite(path) => Some(Store::lock_path(path)),
                Database::MySql(_) => None,
            },
        })
    }

    /// A launcher, and the backend that its rings arrive at.
    pub(crate) fn launcher(&self) -> (Launcher, QueueBackend) {
        let (queue, backend): (Arc<dyn Queue>, QueueBackend) = match &self.fleet_queue {
            Some(queue) => (Arc::new(queue.clone()), QueueBackend::Redis(queue.clone())),
            None => {
                let (queue, backend) = EmbeddedQueue::new();
                (Arc::new(queue), QueueBackend::Embedded(backend))
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
    pub(crate) async fn join(&self) -> anyhow::Result<(Option<ProcessLock>, Company)> {
        let Some(path) = &self.lock_path else {
            let company = match self.store.slots().await? {
                0 => Company::Alone,
                _ => Company::Others,
            };
            return Ok((None, company));
        };
        let (lock, company) = ProcessLock::take(path)?;
        if company == Company::Alone {
            self.store.expire_all_leases().await?;
        }
        Ok((Some(lock), company))
    }

    /// Starts a worker in this process.
    pub(crate) async fn start_worker(&self, duties: Duties) -> anyhow::Result<Crew> {
        self.know_the_stream().await?;
        let (lock, company) = self.join().await?;
        let left_behind = match company {
            Company::Alone => self.store.running().await?,
            Company::Others => Vec::new(),
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
            duties,
        )
        .await;
        Ok(Crew {
            launcher,
            left_behind,
            worker: Some(worker),
            _lock: lock,
        })
    }

    /// Refuses to work on a database whose plays come by a stream without that stream, or with
    /// another number of shards: a day would be closed before all of it is written down.
    pub(crate) async fn know_the_stream(&self) -> anyhow::Result<()> {
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
    pub(crate) async fn crew(&self, no_work: bool) -> anyhow::Result<Crew> {
        if !no_work {
            return self.start_worker(Duties::Guest).await;
        }
        if self.store.slots().await? == 0 {
            progress::line("no worker is seen; the work waits for one");
        }
        Ok(Crew {
            launcher: self.launcher().0,
            left_behind: Vec::new(),
            worker: None,
            _lock: None,
        })
    }

    /// Refuses a fleet's process without the fleet's queue, and waits until that is there.
    pub(crate) async fn need_queue(&self) -> anyhow::Result<()> {
        if self.is_file() {
            return Ok(());
        }
        let (Some(queue), Some(_)) = (&self.fleet_queue, &self.events) else {
            anyhow::bail!("REDIS_URL: needed where the database is on a server");
        };
        connect(
            &self.settings,
            || queue.ping(),
            |error| matches!(error, QueueError::Away(_)),
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
        if let Some(queue) = &self.fleet_queue {
            queue.flush().await;
        }
        self.sql.close().await;
    }
}

/// The fleet's queue, where its Redis is named. Connects when it is first used.
fn open_queue(settings: &Settings) -> anyhow::Result<Option<RedisQueue>> {
    let Some((name, url)) = settings.queue_url() else {
        return Ok(None);
    };
    RedisQueue::open(url).map(Some).context(name)
}

/// The fleet's stream of events, where its Redis is named. Connects when it is first used.
fn open_events(settings: &Settings) -> anyhow::Result<Option<Events>> {
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
    is_away: fn(&E) -> bool,
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
        .when(is_away)
        .notify(|error, _| {
            given_up = true;
            progress::line(&format!("{error}; trying again for at most {limit_s} s"));
        })
        .await;
    match connected {
        Err(error) if given_up && is_away(&error) => {
            Err(anyhow::Error::from(error).context(format!("gave up after {limit_s} s")))
        }
        connected => Ok(connected?),
    }
}

/// A launcher, and the worker in this process that it rings for, if there is one.
pub(crate) struct Crew {
    pub(crate) launcher: Launcher,
    /// Executions that were running when this process found itself alone: dead ones left them.
    pub(crate) left_behind: Vec<JobExecutionId>,
    pub(crate) worker: Option<Worker>,
    _lock: Option<ProcessLock>,
}
