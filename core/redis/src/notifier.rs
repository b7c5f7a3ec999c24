//! The fleet's notifier, on a queue of apalis-redis. Errors of the queue never affect running work.
//!
//! Consumers receive tasks through apalis-redis. The script `lua/notify.lua` appends tasks, because
//! only a script can enforce the window. [`RedisNotifier::purge`] removes finished tasks, which the
//! crate would keep forever.

use crate::{
    connection::{self, Connection, ConnectionError, Timeouts},
    notification::NotificationCodec,
};
use ::redis::{Pipeline, RedisError, Script};
use apalis::prelude::{BackendExt, PollSnapshot, PollStrategy, PollWith};
use apalis_core::backend::ext::with_codec::WithCodec;
use apalis_redis::{Config, RedisStorage};
use async_trait::async_trait;
use balance_batch::execution::StepExecutionId;
use balance_service::jobs::notifier::{Notification, Notifier, NotifierError};
use balance_store::events::StreamIdentity;
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

/// The backend of a worker's consumer.
pub type RedisBackend =
    WithCodec<PollWith<RedisStorage<Notification, Connection>, PollInterval>, NotificationCodec>;

/// Returns the queue's name, which is the prefix of its keys. The hash tag places all keys in one slot
/// of a cluster.
fn queue(identity: &StreamIdentity) -> String {
    format!("{{balance:{identity}}}:steps")
}

/// The poll interval of an idle consumer. Measured: half of all tasks start within 11 ms, at 51
/// script calls per second and idle worker. Without it, an idle queue starts a task after 28 s.
const POLL: Duration = Duration::from_millis(20);
/// The interval of a consumer's heartbeats.
const CONSUMER_HEARTBEAT: Duration = Duration::from_secs(10);
/// The number of missed heartbeats after which the crate recovers tasks. The recovery must come long
/// after the rescuer's, because the crate leaves keys behind.
const MISSED_HEARTBEATS: usize = 60;
/// The age of the last heartbeat after which a consumer counts as dead, in seconds.
const CONSUMER_DEAD_S: u32 = 60;

/// Maximum time for sending notifications.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of concurrent calls of [`Notifier::notify`].
const CONCURRENT_NOTIFICATIONS: usize = 16;
/// A reply that exceeds the time limit ends a consumer, and the crate's default is 0.5 s.
const TIMEOUTS: Timeouts = Timeouts {
    answer: Duration::from_secs(10),
    connect: Duration::from_secs(2),
    retries: 3,
};
/// Maximum number of finished tasks or dead consumers that one command handles.
const PURGE_BATCH: usize = 1_000;

static NOTIFY: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/notify.lua")));

/// Notifies the workers of a fleet.
#[derive(Clone)]
pub struct RedisNotifier {
    connection: Connection,
    config: Config,
    /// The prefix of the keys of consumer metadata.
    consumer_metadata: String,
    /// Notifications that are being sent.
    notifications: TaskTracker,
    permits: Arc<Semaphore>,
}

impl RedisNotifier {
    /// Opens the queue of a database on the server at `url`. Connects on first use, so that a process can start
    /// while the server is unavailable.
    ///
    /// # Errors
    /// Returns an error if the URL is invalid. The error does not repeat the URL, which may contain a
    /// password.
    pub fn open(url: &str, identity: &StreamIdentity) -> Result<Self, NotifierError> {
        let connection = connection::open(url, TIMEOUTS).map_err(from_connection)?;
        let queue = queue(identity);
        Ok(Self {
            connection,
            config: Config::default()
                .queue(&queue)
                .heartbeat_interval(CONSUMER_HEARTBEAT)
                .missed_heartbeats(MISSED_HEARTBEATS)
                // Larger batches delay the consumer's heartbeats, and then all tasks run twice.
                .batch_size(1)
                // Locks would cost a third of the throughput. The leases make them unnecessary.
                .lock_tasks(false)
                .emit_events(false),
            consumer_metadata: format!("{queue}:workers:metadata"),
            notifications: TaskTracker::new(),
            permits: Arc::new(Semaphore::new(CONCURRENT_NOTIFICATIONS)),
        })
    }

    /// Checks that the server answers and accepts the credentials.
    ///
    /// # Errors
    /// Returns an error if the server is unavailable or rejects the credentials.
    pub async fn ping(&self) -> Result<(), NotifierError> {
        let mut connection = self.connection.clone();
        ::redis::cmd("PING")
            .query_async::<()>(&mut connection)
            .await
            .map_err(notifier_error)
    }

    /// Creates the backend of one consumer.
    #[must_use]
    pub fn backend(&self) -> RedisBackend {
        let storage = RedisStorage::new(self.connection.clone()).with_config(self.config.clone());
        WithCodec::new(
            storage.poll_with_strategy(PollInterval::new()),
            NotificationCodec,
        )
    }

    /// Removes finished tasks and dead consumers.
    ///
    /// # Errors
    /// Returns an error if the server is unavailable. Earlier removals remain in effect.
    pub async fn purge(&self) -> Result<(), NotifierError> {
        for finished in [self.config.done_jobs_set(), self.config.dead_jobs_set()] {
            while self.purge_batch(&finished).await? == PURGE_BATCH {}
        }
        for consumer in self.dead_consumers().await? {
            self.remove_consumer(&consumer).await?;
        }
        Ok(())
    }

    /// Removes a consumer and its tasks, including a task that ended it. Notifications may be lost.
    ///
    /// # Errors
    /// Returns an error if the server is unavailable.
    pub async fn remove_consumer(&self, consumer: &str) -> Result<(), NotifierError> {
        let mut connection = self.connection.clone();
        let inflight = format!("{}:{consumer}", self.config.inflight_jobs_set());
        let tasks: Vec<String> = ::redis::cmd("SMEMBERS")
            .arg(&inflight)
            .query_async(&mut connection)
            .await
            .map_err(notifier_error)?;
        let mut pipe = ::redis::pipe();
        pipe.atomic()
            .unlink(&inflight)
            .ignore()
            .zrem(self.config.workers_set(), consumer)
            .ignore()
            .unlink(format!("{}:{consumer}", self.consumer_metadata))
            .ignore();
        self.remove_tasks(&mut pipe, &tasks);
        pipe.query_async::<()>(&mut connection)
            .await
            .map_err(notifier_error)
    }

    /// Removes a batch of tasks of a set of finished tasks. Returns the number of removed tasks.
    async fn purge_batch(&self, set: &str) -> Result<usize, NotifierError> {
        let mut connection = self.connection.clone();
        let tasks: Vec<String> = ::redis::cmd("SRANDMEMBER")
            .arg(set)
            .arg(PURGE_BATCH)
            .query_async(&mut connection)
            .await
            .map_err(notifier_error)?;
        if tasks.is_empty() {
            return Ok(0);
        }
        let mut pipe = ::redis::pipe();
        pipe.atomic();
        self.remove_tasks(&mut pipe, &tasks);
        pipe.srem(set, &tasks).ignore();
        pipe.query_async::<()>(&mut connection)
            .await
            .map_err(notifier_error)?;
        Ok(tasks.len())
    }

    /// Adds the removal of tasks to a pipeline.
    fn remove_tasks(&self, pipe: &mut Pipeline, tasks: &[String]) {
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
            .arg(PURGE_BATCH)
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
        let reply = call.invoke_async::<u32>(&mut connection);
        match tokio::time::timeout(NOTIFY_TIMEOUT, reply).await {
            Ok(reply) => reply.map(|_| ()).map_err(notifier_error),
            Err(_) => {
                self.connection.leave();
                Err(NotifierError::Unavailable(format!(
                    "no answer within {} s",
                    NOTIFY_TIMEOUT.as_secs()
                )))
            }
        }
    }
}

#[async_trait]
impl Notifier for RedisNotifier {
    fn notify(&self, ids: &[StepExecutionId], window: u32) {
        let max = usize::try_from(window).unwrap_or(usize::MAX);
        let ids: Vec<StepExecutionId> = ids.iter().take(max).copied().collect();
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return;
        };
        if ids.is_empty() {
            return;
        }
        let notifier = self.clone();
        // Detached, so that the caller does not wait for an unavailable server.
        self.notifications.spawn(async move {
            if let Err(error) = notifier.push(ids, window).await {
                tracing::warn!(%error, "failed to notify workers");
            }
            drop(permit);
        });
    }

    async fn waiting(&self) -> Result<u64, NotifierError> {
        let mut connection = self.connection.clone();
        connection.check_master().await.map_err(from_connection)?;
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
        ConnectionError::Rejected(reason) => NotifierError::Unusable(reason.to_owned()),
        ConnectionError::NotWritable(reason) => NotifierError::Unavailable(reason.to_owned()),
        ConnectionError::Unavailable(reason) => NotifierError::Unavailable(reason),
    }
}

/// A poll strategy that wakes a consumer at regular intervals. The crate's own interval loses
/// wake-ups.
#[derive(Debug)]
pub struct PollInterval(Interval);

impl PollInterval {
    fn new() -> Self {
        let mut interval = tokio::time::interval(POLL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(interval)
    }
}

impl PollStrategy for PollInterval {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut ticked = Poll::Pending;
        // The interval registers the waker only when it returns `Pending`.
        while self.0.poll_tick(cx).is_ready() {
            ticked = Poll::Ready(Some(()));
        }
        ticked
    }
}
