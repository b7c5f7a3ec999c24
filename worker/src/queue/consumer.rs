//! The consumer: passes the notifications of the queue to the claim pool.

use crate::{
    backoff::backoff,
    claims::pool::ClaimPool,
    queue::{MemoryBackend, NotificationBackend},
};
use apalis::prelude::{Data, WorkerBuilder, WorkerError};
use balance_redis::RedisNotifier;
use balance_service::{jobs::notifier::Notification, supervision::caught};
use futures_util::{FutureExt, future::BoxFuture};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior};

/// The shortest and the longest wait before an ended consumer is replaced.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(5);
/// The lifetime after which the backoff of consumers starts again at its minimum.
const STABLE: Duration = Duration::from_secs(10);
/// The period in which finished tasks are removed from the queue.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);

/// Consumes notifications until the worker is asked to stop. The failure of a consumer costs only
/// latency, because the dispatcher's poll finds the work.
pub(crate) async fn run(pool: Arc<ClaimPool>, backend: NotificationBackend) {
    match backend {
        NotificationBackend::Embedded(backend) => {
            let name = pool.context.name().to_owned();
            // Nothing can replace the only receiver of the channel.
            let reason = match caught(consume_memory(Arc::clone(&pool), name, backend)).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(reason) => reason,
            };
            if !pool.context.stopping.is_cancelled() {
                tracing::warn!(
                    reason,
                    "notification consumer ended; the worker relies on polling"
                );
            }
        }
        NotificationBackend::Redis(notifier) => {
            let context = &pool.context;
            tokio::join!(
                context.supervise("notification consumer", || replace_ended(&pool, &notifier)),
                context.supervise("purge of the queue", || purge(&pool, &notifier)),
            );
        }
    }
}

/// Replaces each consumer that ends. Server errors, an emptied queue and an unreadable message all
/// end a consumer. Each successor gets a new name, because a reused name would steal the tasks of
/// its predecessor.
async fn replace_ended(pool: &Arc<ClaimPool>, notifier: &RedisNotifier) {
    let mut waits = backoff(MIN_BACKOFF, MAX_BACKOFF);
    for incarnation in 0_u64.. {
        let name = format!("{}-{incarnation}", pool.context.name());
        let began = Instant::now();
        let ended = consume_redis(Arc::clone(pool), name.clone(), notifier.clone()).await;
        // Best effort: the remains are removed when the consumer counts as dead.
        if let Err(error) = notifier.remove_consumer(&name).await {
            tracing::debug!(%error, "failed to unregister notification consumer");
        }
        if pool.context.stopping.is_cancelled() {
            return;
        }
        let reason = ended
            .err()
            .map_or_else(String::new, |error| error.to_string());
        tracing::warn!(reason, "notification consumer ended; restarting");
        if began.elapsed() >= STABLE {
            waits = backoff(MIN_BACKOFF, MAX_BACKOFF);
        }
        tokio::select! {
            () = pool.context.stopping.cancelled() => return,
            () = tokio::time::sleep(waits.next().unwrap_or(MAX_BACKOFF)) => {}
        }
    }
}

async fn purge(pool: &ClaimPool, notifier: &RedisNotifier) {
    let mut ticks = tokio::time::interval(PURGE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = pool.context.stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = notifier.purge().await {
            // At debug level: the supervisor already reports an unavailable queue.
            tracing::debug!(%error, "failed to remove finished tasks from the queue");
        }
    }
}

/// Builds and runs an apalis worker as a boxed future. An async block around the worker would not
/// be `Send`.
macro_rules! consume {
    ($pool:ident, $name:ident, $backend:expr) => {{
        let stopping = $pool.context.stopping.clone();
        let worker = WorkerBuilder::new($name.as_str())
            .backend($backend)
            .data($pool)
            .build(notify);
        worker
            .run_until(async move {
                stopping.cancelled().await;
                Ok::<(), WorkerError>(())
            })
            .boxed()
    }};
}

fn consume_memory(
    pool: Arc<ClaimPool>,
    name: String,
    backend: MemoryBackend,
) -> BoxFuture<'static, Result<(), WorkerError>> {
    consume!(pool, name, backend)
}

fn consume_redis(
    pool: Arc<ClaimPool>,
    name: String,
    notifier: RedisNotifier,
) -> BoxFuture<'static, Result<(), WorkerError>> {
    consume!(pool, name, notifier.backend())
}

/// Passes a notification to the claim pool.
async fn notify(notification: Notification, pool: Data<Arc<ClaimPool>>) {
    match notification {
        Notification::StepExecution(id) => pool.notify(id),
        Notification::Foreign(payload) => {
            tracing::warn!(payload, "foreign message in the queue dropped");
        }
    }
}
