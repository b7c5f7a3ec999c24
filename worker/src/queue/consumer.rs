//! The consumer: turns the queue's messages into rings for the crew.

use crate::{
    claims::pool::ClaimPool,
    queue::{MemoryBackend, NotificationBackend},
};
use apalis::prelude::{Data, WorkerBuilder, WorkerError};
use backon::{BackoffBuilder, ExponentialBuilder};
use balance_redis::{Notification, RedisNotifier};
use futures_util::{FutureExt, future::BoxFuture};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior};

/// The first and the longest wait before a consumer that ended is replaced.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// A consumer that lived so long was well: the next wait is the first one again.
const WELL: Duration = Duration::from_secs(10);
/// How often finished tasks are taken out of the queue.
const TIDY: Duration = Duration::from_secs(1);

/// Consumes until the worker is asked to end. Whatever ends a consumer sooner costs latency only:
/// the dispatcher's poll finds the work.
pub(crate) async fn run(pool: Arc<ClaimPool>, backend: NotificationBackend) {
    match backend {
        NotificationBackend::Embedded(backend) => {
            let name = pool.settings.identity.name.clone();
            if let Err(error) = embedded(Arc::clone(&pool), name, backend).await
                && !pool.ending.is_cancelled()
            {
                tracing::warn!(%error, "the queue's consumer ended; polling goes on");
            }
        }
        NotificationBackend::Redis(queue) => {
            tokio::join!(supervise(&pool, &queue), tidy(&pool, &queue));
        }
    }
}

/// Replaces each consumer that ends. Any error of the server ends one, an emptied queue and a
/// message that cannot be read too; each successor has a name of its own, for a reused one would
/// steal what its namesake runs.
async fn supervise(pool: &Arc<ClaimPool>, queue: &RedisNotifier) {
    let new_backoff = || {
        ExponentialBuilder::default()
            .with_min_delay(FIRST_BACKOFF)
            .with_max_delay(LONGEST_BACKOFF)
            .with_jitter()
            .without_max_times()
            .build()
    };
    let mut backoff = new_backoff();
    for incarnation in 0_u64.. {
        let name = format!("{}-{incarnation}", pool.settings.identity.name);
        let began = Instant::now();
        let ended = fleet(Arc::clone(pool), name.clone(), queue.clone()).await;
        // Best effort: what is left is tidied up when the consumer counts as dead.
        if let Err(error) = queue.forget(&name).await {
            tracing::debug!(%error, "consumer not forgotten");
        }
        if pool.ending.is_cancelled() {
            return;
        }
        let reason = ended
            .err()
            .map_or_else(String::new, |error| error.to_string());
        tracing::warn!(
            reason,
            "the queue's consumer ended; another takes its place"
        );
        if began.elapsed() >= WELL {
            backoff = new_backoff();
        }
        tokio::select! {
            () = pool.ending.cancelled() => return,
            () = tokio::time::sleep(backoff.next().unwrap_or(LONGEST_BACKOFF)) => {}
        }
    }
}

async fn tidy(pool: &ClaimPool, queue: &RedisNotifier) {
    let mut ticks = tokio::time::interval(TIDY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = pool.ending.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = queue.tidy().await {
            // The supervisor reports a queue that is away.
            tracing::debug!(%error, "queue not tidied");
        }
    }
}

/// A plain function that answers a boxed future: an async block that builds and runs the crate's
/// worker cannot be spawned.
macro_rules! consume {
    ($pool:ident, $name:ident, $backend:expr) => {{
        let ending = $pool.ending.clone();
        let worker = WorkerBuilder::new($name.as_str())
            .backend($backend)
            .data($pool)
            .build(look);
        worker
            .run_until(async move {
                ending.cancelled().await;
                Ok::<(), WorkerError>(())
            })
            .boxed()
    }};
}

fn embedded(
    pool: Arc<ClaimPool>,
    name: String,
    backend: MemoryBackend,
) -> BoxFuture<'static, Result<(), WorkerError>> {
    consume!(pool, name, backend)
}

fn fleet(
    pool: Arc<ClaimPool>,
    name: String,
    queue: RedisNotifier,
) -> BoxFuture<'static, Result<(), WorkerError>> {
    consume!(pool, name, queue.backend())
}

/// A message says "look at this step execution", and nothing else.
async fn look(notify: Notification, pool: Data<Arc<ClaimPool>>) {
    match notify {
        Notification::StepExecution(id) => pool.notify(id),
        Notification::Foreign(payload) => {
            tracing::warn!(payload, "a foreign message in the queue is dropped");
        }
    }
}
