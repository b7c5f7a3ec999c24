//! Wiring: the one place that names all adapters.

use crate::settings::{DEFAULT_TIMEZONE, Database, Settings};
use anyhow::Context;
use balance_core::{
    batch::execution::JobExecutionId,
    domain::calendar::BusinessTimezone,
    port::{
        Store,
        clock::{Clock, SystemClock},
    },
    queue::{EmbeddedBackend, EmbeddedQueue},
    service::{launcher::Launcher, settings::business_timezone},
    store::{Company, ProcessLock, SqlStore},
};
use balance_worker::Worker;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// An open database and what belongs to it.
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timezone: BusinessTimezone,
    sql: Arc<SqlStore>,
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
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let sql = Arc::new(open_store(&settings, database, &clock).await?);
        let store: Arc<dyn Store> = Arc::<SqlStore>::clone(&sql);
        let timezone =
            business_timezone(store.as_ref(), settings.business_timezone, DEFAULT_TIMEZONE).await?;
        Ok(Self {
            settings,
            store,
            clock,
            timezone,
            sql,
            lock_path: match database {
                Database::Sqlite(path) => Some(SqlStore::lock_path(path)),
                Database::MySql(_) => None,
            },
        })
    }

    /// A launcher, and the backend that its rings arrive at.
    pub(crate) fn launcher(&self) -> (Launcher, EmbeddedBackend) {
        let (queue, backend) = EmbeddedQueue::new();
        let launcher = Launcher {
            store: Arc::clone(&self.store),
            queue: Arc::new(queue),
            clock: Arc::clone(&self.clock),
            timezone: self.timezone,
            partitions: self.settings.partitions(),
        };
        (launcher, backend)
    }

    /// Takes a share of the lock file. A process that is alone lets the leases of dead ones run
    /// out at once, so that nobody waits for them; it lets others in by [`ProcessLock::share`].
    pub(crate) async fn join(&self) -> anyhow::Result<(Option<ProcessLock>, Company)> {
        let Some(path) = &self.lock_path else {
            return Ok((None, Company::Others));
        };
        let (lock, company) = ProcessLock::take(path)?;
        if company == Company::Alone {
            self.store.expire_all_leases().await?;
        }
        Ok((Some(lock), company))
    }

    /// Starts a worker in this process.
    pub(crate) async fn start_worker(&self) -> anyhow::Result<Crew> {
        let (lock, company) = self.join().await?;
        let left_behind = match company {
            Company::Alone => self.store.running().await?,
            Company::Others => Vec::new(),
        };
        if let Some(lock) = &lock {
            lock.share()?;
        }
        let (launcher, backend) = self.launcher();
        let worker = Worker::start(launcher.clone(), self.settings.worker()?, backend);
        Ok(Crew {
            launcher,
            left_behind,
            worker,
            _lock: lock,
        })
    }

    /// The folder of a database that is a file, where an import's temporary files go too.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        self.lock_path.as_deref()?.parent().map(Path::to_path_buf)
    }

    /// Closes the database.
    pub(crate) async fn close(self) {
        self.sql.close().await;
    }
}

async fn open_store(
    settings: &Settings,
    database: &Database,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<SqlStore> {
    match database {
        Database::Sqlite(path) => {
            SqlStore::open_sqlite(path, settings.readers(), Arc::clone(clock))
                .await
                .with_context(|| format!("the database {}", path.display()))
        }
        // The URL may hold a password: it is not repeated.
        Database::MySql(url) => SqlStore::open_mysql(
            url,
            settings.connections(),
            settings.lease_s,
            Arc::clone(clock),
        )
        .await
        .context("the database of DATABASE_URL"),
    }
}

/// A worker in this process, and the launcher that rings for it.
pub(crate) struct Crew {
    pub(crate) launcher: Launcher,
    /// Executions that were running when this process found itself alone: dead ones left them.
    pub(crate) left_behind: Vec<JobExecutionId>,
    pub(crate) worker: Worker,
    _lock: Option<ProcessLock>,
}
