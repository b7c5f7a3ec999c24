//! The snapshot of the stores, for metrics. Reading it takes a bounded time.

use crate::{
    events::stream::{EventStream, Memory, StreamClock},
    jobs::{launcher, notifier::Notifier},
    reports,
};
use balance_domain::{calendar::BusinessTimezone, clock::Clock, units::MICROS_PER_S};
use balance_store::{Store, operations::StoreSnapshot, playback::Clocks};
use chrono::NaiveDate;
use std::{fmt::Display, sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::timeout};

/// The time limit of a store's answer. A store that exceeds it counts as unavailable.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// How long a snapshot is reused, in microseconds. It limits the load of many concurrent readers.
const MAX_AGE_MICROS: i64 = MICROS_PER_S;

/// The state of each store; `None` for a store that is unavailable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub database: Option<DatabaseSnapshot>,
    /// The number of notifications that wait in the queue.
    pub notifications: Option<u64>,
    /// The number of unpersisted entries in each shard of the stream. The outer `None` means that
    /// the process has no stream.
    pub waiting: Option<Option<Vec<u64>>>,
    /// The memory of the stream's server.
    pub memory: Option<Memory>,
    pub clocks: ClockSnapshot,
}

/// The clocks of the stores, in seconds; `None` for a store that is unavailable or missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClockSnapshot {
    /// The difference between the clock of the database and that of this process.
    pub database_skew_s: Option<u64>,
    /// The difference between the clock of the stream's server and that of this process.
    pub stream_skew_s: Option<u64>,
    /// How far the last instant of the intake is ahead of the clock of this process.
    pub intake_ahead_s: Option<u64>,
    /// How far the last entry of the stream is ahead of the clock of its server.
    pub stream_ahead_s: Option<u64>,
}

impl ClockSnapshot {
    fn new(now_micros: i64, database: Option<Clocks>, stream: Option<StreamClock>) -> Self {
        let ahead_s = |micros: i64| (micros.max(0) / MICROS_PER_S).unsigned_abs();
        let skew_s = |one: i64, other: i64| ahead_s((one - other).abs());
        Self {
            database_skew_s: database.map(|one| skew_s(one.database_micros, one.own_micros)),
            stream_skew_s: stream.map(|one| skew_s(one.now_micros, now_micros)),
            intake_ahead_s: database.map(|one| ahead_s(one.last_micros - one.own_micros)),
            stream_ahead_s: stream.map(|one| ahead_s(one.last_micros - one.now_micros)),
        }
    }
}

/// The state of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSnapshot {
    pub numbers: StoreSnapshot,
    /// The end of the last closed day, in seconds since 1970 (UTC).
    pub closed_until_s: Option<i64>,
    /// The end of the last day up to which all days with plays are settled, in seconds since 1970
    /// (UTC).
    pub settled_until_s: Option<i64>,
    /// The most notifications that may wait in the queue.
    pub window: u32,
}

/// Reads snapshots of the stores.
pub struct SnapshotReader {
    store: Arc<Store>,
    notifier: Arc<dyn Notifier>,
    stream: Option<Arc<dyn EventStream>>,
    clock: Arc<dyn Clock>,
    timezone: BusinessTimezone,
    /// The last snapshot and its time in microseconds. One caller reads at a time; the others wait
    /// for its result.
    last: Mutex<Option<(i64, Arc<Snapshot>)>>,
}

impl SnapshotReader {
    /// Creates a reader for the stores of a launcher and an optional stream.
    #[must_use]
    pub fn new(launcher: &launcher::Launcher, stream: Option<Arc<dyn EventStream>>) -> Self {
        Self {
            store: Arc::clone(&launcher.store),
            notifier: Arc::clone(&launcher.notifier),
            stream,
            clock: Arc::clone(&launcher.clock),
            timezone: launcher.timezone,
            last: Mutex::new(None),
        }
    }

    /// Returns a snapshot that is at most one second old. Reading a new one takes at most two
    /// seconds.
    pub async fn read(&self) -> Arc<Snapshot> {
        let mut last = self.last.lock().await;
        let now = self.clock.now_micros();
        if let Some((at, snapshot)) = last.as_ref()
            && (0..MAX_AGE_MICROS).contains(&(now - at))
        {
            return Arc::clone(snapshot);
        }
        let (database, notifications, waiting, memory, clocks) = tokio::join!(
            answer("database", self.store.snapshot()),
            answer("queue", self.notifier.waiting()),
            self.waiting(),
            self.memory(),
            self.clocks(),
        );
        let snapshot = Arc::new(Snapshot {
            database: database.map(|numbers| self.database(numbers)),
            notifications,
            waiting,
            memory,
            clocks,
        });
        // The age begins after the read, so that callers that waited for a slow read reuse it.
        *last = Some((self.clock.now_micros(), Arc::clone(&snapshot)));
        snapshot
    }

    async fn waiting(&self) -> Option<Option<Vec<u64>>> {
        let stream = self.stream.as_ref()?;
        Some(answer("stream", stream.waiting()).await)
    }

    async fn memory(&self) -> Option<Memory> {
        answer("stream", self.stream.as_ref()?.memory()).await
    }

    async fn clocks(&self) -> ClockSnapshot {
        let stream = async {
            let clock = answer("stream", self.stream.as_ref()?.clock()).await?;
            // Read after the answer: a slow answer looks like a small difference, not a large one.
            Some((clock, self.clock.now_micros()))
        };
        let (database, stream) = tokio::join!(answer("database", self.store.clocks()), stream);
        let (stream, now_micros) = stream.unzip();
        ClockSnapshot::new(now_micros.unwrap_or_default(), database, stream)
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

/// Returns the answer of a store; `None` if it fails or exceeds the time limit.
async fn answer<T, E: Display>(
    store: &'static str,
    query: impl Future<Output = Result<T, E>>,
) -> Option<T> {
    match timeout(ANSWER_LIMIT, query).await {
        Ok(Ok(answer)) => Some(answer),
        // At debug level: the tasks that use the store report the failure.
        Ok(Err(error)) => {
            tracing::debug!(store, %error, "failed to read the snapshot of the store");
            None
        }
        Err(_) => {
            tracing::debug!(store, "timed out reading the snapshot of the store");
            None
        }
    }
}
