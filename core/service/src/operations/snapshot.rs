//! The observer: looks at each store for whoever watches the system, and never waits long.

use crate::{
    events::stream::EventStream,
    jobs::{launcher, notifier::Notifier},
    reports,
};
use balance_domain::{calendar::BusinessTimezone, clock::Clock};
use balance_store::{Store, operations::StoreSnapshot};
use chrono::NaiveDate;
use std::{fmt::Display, sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::timeout};

/// How long a store has to answer. What is away is told as away.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// How long what was seen is good for, in microseconds: however many ask, a store is looked at
/// once in that time.
const FRESH_MICROS: i64 = 1_000_000;

const MICROS_PER_S: i64 = 1_000_000;

/// What was seen of each store; nothing of one that is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The database.
    pub database: Option<DatabaseSnapshot>,
    /// Rings that wait in the queue.
    pub notifications: Option<u64>,
    /// Entries that wait in each shard of the stream. The outer nothing: there is no stream.
    pub waiting: Option<Option<Vec<u64>>>,
}

/// What was seen of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSnapshot {
    /// Its numbers.
    pub numbers: StoreSnapshot,
    /// The end of the last closed day, in seconds since 1970 (UTC).
    pub closed_until_s: Option<i64>,
    /// The end of the last day up to which nothing active is unsettled, likewise.
    pub settled_until_s: Option<i64>,
    /// The most rings that may wait in the queue.
    pub window: u32,
}

/// Looks at the stores.
pub struct Observer {
    store: Arc<Store>,
    queue: Arc<dyn Notifier>,
    stream: Option<Arc<dyn EventStream>>,
    clock: Arc<dyn Clock>,
    timezone: BusinessTimezone,
    /// What was seen last, and when. One looks at a time; the others wait for what it sees.
    last: Mutex<Option<(i64, Arc<Snapshot>)>>,
}

impl Observer {
    /// An observer of the stores of a launcher, and of a stream where there is one.
    #[must_use]
    pub fn new(launcher: &launcher::Launcher, stream: Option<Arc<dyn EventStream>>) -> Self {
        Self {
            store: Arc::clone(&launcher.store),
            queue: Arc::clone(&launcher.queue),
            stream,
            clock: Arc::clone(&launcher.clock),
            timezone: launcher.timezone,
            last: Mutex::new(None),
        }
    }

    /// What the stores show now, or showed within the last second. Takes two seconds at most
    /// for each look.
    pub async fn look(&self) -> Arc<Snapshot> {
        let mut last = self.last.lock().await;
        let now = self.clock.now_micros();
        if let Some((at, snapshot)) = last.as_ref()
            && (0..FRESH_MICROS).contains(&(now - at))
        {
            return Arc::clone(snapshot);
        }
        let (database, notifications, waiting) = tokio::join!(
            answer("database", self.store.observe()),
            answer("queue", self.queue.waiting()),
            self.waiting(),
        );
        let snapshot = Arc::new(Snapshot {
            database: database.map(|numbers| self.database(numbers)),
            notifications,
            waiting,
        });
        // From when it was seen on: whoever waited for a slow look need not take one of his own.
        *last = Some((self.clock.now_micros(), Arc::clone(&snapshot)));
        snapshot
    }

    async fn waiting(&self) -> Option<Option<Vec<u64>>> {
        let stream = self.stream.as_ref()?;
        Some(answer("stream", stream.waiting()).await)
    }

    fn database(&self, numbers: StoreSnapshot) -> DatabaseSnapshot {
        let settled = reports::settled_through(numbers.closed_through, numbers.first_unsettled_day);
        let end_s = |date: NaiveDate| {
            let day = self.timezone.day(date).ok()?;
            Some(day.end_micros.div_euclid(MICROS_PER_S))
        };
        DatabaseSnapshot {
            closed_until_s: numbers.closed_through.and_then(end_s),
            settled_until_s: settled.and_then(end_s),
            window: launcher::window(u32::try_from(numbers.slots).unwrap_or(u32::MAX)),
            numbers,
        }
    }
}

/// What a store answers in time.
async fn answer<T, E: Display>(
    store: &'static str,
    asked: impl Future<Output = Result<T, E>>,
) -> Option<T> {
    match timeout(ANSWER_LIMIT, asked).await {
        Ok(Ok(seen)) => Some(seen),
        // Whoever works with the store reports it; the watcher is told that nothing was seen.
        Ok(Err(error)) => {
            tracing::debug!(store, %error, "not observed");
            None
        }
        Err(_) => {
            tracing::debug!(store, "not observed in time");
            None
        }
    }
}
