//! The fleet's queue: apalis-redis, set up so that no fault of it reaches running work.
//!
//! Consumers take tasks by apalis-redis. Rings go in by a script of our own (`lua/notify.lua`), which
//! alone can hold the window, and what is finished goes out by [`RedisNotifier::tidy`], for the crate
//! keeps it for ever.

use crate::{
    connection::{self, ConnectionError, Timeouts},
    notification::{Notification, NotificationCodec},
};
use ::redis::{Pipeline, RedisError, Script, aio::ConnectionManager};
use apalis::prelude::{BackendExt, PollSnapshot, PollStrategy, PollWith};
use apalis_core::backend::ext::with_codec::WithCodec;
use apalis_redis::{Config, RedisStorage};
use async_trait::async_trait;
use balance_batch::execution::StepExecutionId;
use balance_service::jobs::notifier::{Notifier, NotifierError};
use std::{
    sync::{Arc, LazyLock},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{Interval, MissedTickBehavior},
};
use tokio_util::task::TaskTracker;
use ulid::Ulid;

/// What a worker consumes.
pub type RedisBackend = WithCodec<PollWith<RedisStorage<Notification>, Ticks>, NotificationCodec>;

/// The queue's name, and the beginning of its keys. One hash tag, so that a cluster holds them in
/// one place.
const QUEUE: &str = "{balance}:steps";
/// The keys that begin with this hold a consumer each.
const CONSUMER_METADATA: &str = "{balance}:steps:workers:metadata";

/// How often an idle consumer looks. Measured: half of all starts within 11 ms, for 51 scripts a
/// second of each idle worker; without it an idle queue starts a task after 28 s.
const POLL: Duration = Duration::from_millis(20);
/// How often a consumer says that it lives.
const CONSUMER_BEAT: Duration = Duration::from_secs(10);
/// The crate's own rescue of tasks, in beats: long after ours, for it forgets keys.
const CONSUMER_BEATS: usize = 60;
/// A consumer that has been silent for so many seconds is dead.
const CONSUMER_DEAD_S: u32 = 60;

/// How long a ring may take.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(2);
/// Calls of [`Notifier::ring`] that may be on their way.
const CONCURRENT_NOTIFICATIONS: usize = 16;
/// One reply over the crate's default of half a second ends a consumer.
const TIMEOUTS: Timeouts = Timeouts {
    answer: Duration::from_secs(10),
    connect: Duration::from_secs(2),
    tries: 3,
};
/// Finished tasks or dead consumers that one command takes out.
const TIDY_BATCH: usize = 1_000;

static NOTIFY: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/notify.lua")));

/// Rings the workers of a fleet.
#[derive(Clone)]
pub struct RedisNotifier {
    connection: ConnectionManager,
    config: Config,
    /// Rings on their way.
    notifications: TaskTracker,
    permits: Arc<Semaphore>,
}

impl RedisNotifier {
    /// A queue on the server of a URL. Connects when it is first used, so that a process starts
    /// while the queue is away.
    ///
    /// # Errors
    /// Where the URL is none. It is not repeated: it may hold a password.
    pub fn open(url: &str) -> Result<Self, NotifierError> {
        let connection = connection::open(url, TIMEOUTS).map_err(from_connection)?;
        Ok(Self {
            connection,
            config: Config::default()
                .queue(QUEUE)
                .heartbeat_interval(CONSUMER_BEAT)
                .missed_heartbeats(CONSUMER_BEATS)
                // More than one at a time starves the consumer's beats: all tasks run twice.
                .batch_size(1)
                // A third of the throughput, for what our leases do.
                .lock_tasks(false)
                .emit_events(false),
            notifications: TaskTracker::new(),
            permits: Arc::new(Semaphore::new(CONCURRENT_NOTIFICATIONS)),
        })
    }

    /// Asks the server whether it is there and lets us in.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn ping(&self) -> Result<(), NotifierError> {
        let mut connection = self.connection.clone();
        ::redis::cmd("PING")
            .query_async::<()>(&mut connection)
            .await
            .map_err(notifier_error)
    }

    /// A backend for one consumer.
    #[must_use]
    pub fn backend(&self) -> RedisBackend {
        let storage = RedisStorage::new(self.connection.clone()).with_config(self.config.clone());
        WithCodec::new(storage.poll_with_strategy(Ticks::new()), NotificationCodec)
    }

    /// Takes out what is finished, and what consumers left that died.
    ///
    /// # Errors
    /// Where the server is away. What was taken out until then is gone.
    pub async fn tidy(&self) -> Result<(), NotifierError> {
        for finished in [self.config.done_jobs_set(), self.config.dead_jobs_set()] {
            while self.take_out_of(&finished).await? == TIDY_BATCH {}
        }
        for consumer in self.dead_consumers().await? {
            self.forget(&consumer).await?;
        }
        Ok(())
    }

    /// Takes a consumer's traces out, the task included that ended it: rings can be lost.
    ///
    /// # Errors
    /// Where the server is away.
    pub async fn forget(&self, consumer: &str) -> Result<(), NotifierError> {
        let mut connection = self.connection.clone();
        let taken = format!("{}:{consumer}", self.config.inflight_jobs_set());
        let tasks: Vec<String> = ::redis::cmd("SMEMBERS")
            .arg(&taken)
            .query_async(&mut connection)
            .await
            .map_err(notifier_error)?;
        let mut pipe = ::redis::pipe();
        pipe.atomic()
            .unlink(&taken)
            .ignore()
            .zrem(self.config.workers_set(), consumer)
            .ignore()
            .unlink(format!("{CONSUMER_METADATA}:{consumer}"))
            .ignore();
        self.drop_tasks(&mut pipe, &tasks);
        pipe.query_async::<()>(&mut connection)
            .await
            .map_err(notifier_error)
    }

    /// Takes a batch of tasks out of a set of finished ones; answers how many.
    async fn take_out_of(&self, set: &str) -> Result<usize, NotifierError> {
        let mut connection = self.connection.clone();
        let tasks: Vec<String> = ::redis::cmd("SRANDMEMBER")
            .arg(set)
            .arg(TIDY_BATCH)
            .query_async(&mut connection)
            .await
            .map_err(notifier_error)?;
        if tasks.is_empty() {
            return Ok(0);
        }
        let mut pipe = ::redis::pipe();
        pipe.atomic();
        self.drop_tasks(&mut pipe, &tasks);
        pipe.srem(set, &tasks).ignore();
        pipe.query_async::<()>(&mut connection)
            .await
            .map_err(notifier_error)?;
        Ok(tasks.len())
    }

    fn drop_tasks(&self, pipe: &mut Pipeline, tasks: &[String]) {
        if tasks.is_empty() {
            return;
        }
        let prefix = self.config.job_meta_hash();
        let metadata: Vec<String> = tasks.iter().map(|id| format!("{prefix}:{id}")).collect();
        pipe.hdel(self.config.job_data_hash(), tasks).ignore();
        pipe.unlink(metadata).ignore();
    }

    async fn dead_consumers(&self) -> Result<Vec<String>, NotifierError> {
        let mut connection = self.connection.clone();
        let (now_s, _micros): (i64, i64) = ::redis::cmd("TIME")
            .query_async(&mut connection)
            .await
            .map_err(notifier_error)?;
        ::redis::cmd("ZRANGEBYSCORE")
            .arg(self.config.workers_set())
            .arg("-inf")
            .arg(now_s - i64::from(CONSUMER_DEAD_S))
            .arg("LIMIT")
            .arg(0)
            .arg(TIDY_BATCH)
            .query_async(&mut connection)
            .await
            .map_err(notifier_error)
    }

    async fn push(self, ids: Vec<StepExecutionId>, window: u32) -> Result<(), NotifierError> {
        let mut connection = self.connection.clone();
        let mut call = NOTIFY.key(self.config.job_data_hash());
        call.key(self.config.active_jobs_list())
            .key(self.config.scheduled_jobs_set())
            .key(self.config.signal_list())
            .key(self.config.job_meta_hash())
            .arg(window);
        for id in ids {
            call.arg(Ulid::generate().to_string()).arg(id.0);
        }
        let pushed = call.invoke_async::<u32>(&mut connection);
        match tokio::time::timeout(NOTIFY_TIMEOUT, pushed).await {
            Ok(pushed) => pushed.map(|_| ()).map_err(notifier_error),
            Err(_) => Err(NotifierError::Unavailable(format!(
                "no answer within {} s",
                NOTIFY_TIMEOUT.as_secs()
            ))),
        }
    }
}

#[async_trait]
impl Notifier for RedisNotifier {
    fn notify(&self, ids: &[StepExecutionId], window: u32) {
        let most = usize::try_from(window).unwrap_or(usize::MAX);
        let ids: Vec<StepExecutionId> = ids.iter().take(most).copied().collect();
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return;
        };
        if ids.is_empty() {
            return;
        }
        let queue = self.clone();
        // Detached: whoever rings must not wait for a queue that is away.
        self.notifications.spawn(async move {
            if let Err(error) = queue.push(ids, window).await {
                tracing::warn!(%error, "ring lost");
            }
            drop(permit);
        });
    }

    async fn waiting(&self) -> Result<u64, NotifierError> {
        let mut connection = self.connection.clone();
        let (now, later): (u64, u64) = ::redis::pipe()
            .llen(self.config.active_jobs_list())
            .zcard(self.config.scheduled_jobs_set())
            .query_async(&mut connection)
            .await
            .map_err(notifier_error)?;
        Ok(now + later)
    }

    async fn flush(&self) {
        self.notifications.close();
        let _ = tokio::time::timeout(NOTIFY_TIMEOUT, self.notifications.wait()).await;
        self.notifications.reopen();
    }
}

fn notifier_error(error: RedisError) -> NotifierError {
    from_connection(connection::connection_error(error))
}

fn from_connection(error: ConnectionError) -> NotifierError {
    match error {
        ConnectionError::Refused(reason) => NotifierError::Unusable(reason.to_owned()),
        ConnectionError::Unavailable(reason) => NotifierError::Unavailable(reason),
    }
}

/// Wakes a consumer at even intervals. The crate's own interval loses wake-ups.
#[derive(Debug)]
pub struct Ticks(Interval);

impl Ticks {
    fn new() -> Self {
        let mut interval = tokio::time::interval(POLL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(interval)
    }
}

impl PollStrategy for Ticks {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut ticked = Poll::Pending;
        // Until it is pending: only then it has taken our waker.
        while self.0.poll_tick(cx).is_ready() {
            ticked = Poll::Ready(Some(()));
        }
        ticked
    }
}
