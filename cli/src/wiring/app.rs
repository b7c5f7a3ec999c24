//! An open database with its settings.

use crate::{
    output, progress,
    settings::{DEFAULT_TIMEZONE, Database, Settings},
    wiring::connect::{check_redis_urls, open_event_stream, open_notifier, open_store},
};
use balance_domain::{
    calendar::BusinessTimezone,
    clock::{Clock, SystemClock},
};
use balance_redis::RedisNotifier;
use balance_service::{
    events::stream::EventStream,
    jobs::notifier::Notifier as _,
    settings::{business_timezone, stored_timezone},
};
use balance_store::{FileUse, Store, operations::CompletedRestore};
use balance_worker::settings::EventStreamSettings;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Rejects an SQLite file that does not exist.
pub(crate) fn require_file(database: &Database) -> anyhow::Result<()> {
    match database {
        Database::Sqlite(path) if !path.exists() => anyhow::bail!(
            "DATABASE_URL: the database {} does not exist; `balance import`, `balance serve` or \
             `balance migrate` creates it",
            path.display()
        ),
        _ => Ok(()),
    }
}

/// An open database and the adapters for it.
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timezone: BusinessTimezone,
    /// The event stream of a fleet; none on SQLite.
    pub(crate) events: Option<EventStreamSettings>,
    /// The notifier of a fleet; none on SQLite.
    pub(super) fleet_notifier: Option<RedisNotifier>,
    /// The restore that was completed when this process opened a backup.
    pub(crate) completed_restore: Option<CompletedRestore>,
    /// The lock file beside an SQLite database; none on a server.
    pub(super) lock_path: Option<PathBuf>,
}

impl App {
    /// Opens the configured database.
    pub(crate) async fn open(settings: Settings, file_use: FileUse) -> anyhow::Result<Self> {
        let database = settings.database.database()?;
        if file_use != FileUse::Create {
            require_file(&database)?;
        }
        Self::open_at(settings, &database, file_use).await
    }

    /// Opens a given database with these settings.
    pub(crate) async fn open_at(
        settings: Settings,
        database: &Database,
        file_use: FileUse,
    ) -> anyhow::Result<Self> {
        // Invalid settings are reported before a database is created.
        settings.processing.worker()?;
        settings.playback.check()?;
        let has_redis = match database {
            Database::Sqlite(_) => false,
            Database::MySql(_) => check_redis_urls(&settings)?,
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Arc::new(open_store(&settings, database, file_use, &clock).await?);
        let completed_restore = match file_use {
            FileUse::Read => None,
            FileUse::Write | FileUse::Create => store.complete_restored_backup().await?,
        };
        if let Some(completed) = &completed_restore {
            progress::line(&output::restored(completed));
        }
        // Reads the generation, which tokens and caches depend on.
        store.assigned_ids().await?;
        let identity = match (has_redis, file_use) {
            (false, _) => None,
            (true, FileUse::Read) => store.stored_stream_identity().await?,
            (true, FileUse::Write | FileUse::Create) => Some(store.stream_identity().await?),
        };
        let (fleet_notifier, events) = match identity {
            Some((identity, _)) => (
                open_notifier(&settings, &identity)?,
                open_event_stream(&settings, identity)?,
            ),
            None => (None, None),
        };
        let requested = settings.database.business_timezone;
        let timezone = match file_use {
            FileUse::Read => stored_timezone(store.as_ref(), requested, DEFAULT_TIMEZONE).await?,
            FileUse::Write | FileUse::Create => {
                business_timezone(store.as_ref(), requested, DEFAULT_TIMEZONE).await?
            }
        };
        Ok(Self {
            settings,
            store,
            clock,
            timezone,
            events,
            fleet_notifier,
            completed_restore,
            lock_path: match database {
                Database::Sqlite(path) => Some(Store::lock_path(path)),
                Database::MySql(_) => None,
            },
        })
    }

    /// Returns the event stream of a fleet.
    pub(crate) fn stream(&self) -> Option<Arc<dyn EventStream>> {
        self.events
            .as_ref()
            .map(|events| Arc::clone(&events.stream))
    }

    /// Returns whether the database is an SQLite file.
    pub(crate) const fn is_file(&self) -> bool {
        self.lock_path.is_some()
    }

    /// Returns the folder of an SQLite database, which also receives temporary files of imports.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        self.lock_path.as_deref()?.parent().map(Path::to_path_buf)
    }

    /// Sends pending notifications and closes the database.
    pub(crate) async fn close(self) {
        if let Some(notifier) = &self.fleet_notifier {
            notifier.flush().await;
        }
        self.store.close().await;
    }
}
