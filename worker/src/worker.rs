//! A running worker: its tasks, started and stopped together.

use crate::{
    claims::{heartbeat, pool::ClaimPool},
    context::WorkerContext,
    events::{suppressed, upgrade, writer},
    maintenance::{dispatcher, pruner, rescuer},
    queue::{NotificationBackend, consumer},
    schedule,
    settings::{EventStreamSettings, WorkerMode, WorkerSettings},
};
use balance_service::{
    jobs::launcher::Launcher, operations::counters::WorkerMetrics, supervision::caught,
};
use balance_store::StoreResult;
use std::{sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The period of the dispatcher and the rescuer.
const POLL: Duration = Duration::from_secs(1);
/// The period of the pruner.
const PRUNE: Duration = Duration::from_secs(3_600);
/// The period in which a worker that was asked to end announces its claims.
const ANNOUNCE_PERIOD: Duration = Duration::from_millis(500);
/// The time limit of the first heartbeat and of each other database call during the shutdown.
const REGISTRY_LIMIT: Duration = Duration::from_secs(1);

/// The time limit of the release of all claims during the shutdown.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);

/// A running worker. If it is dropped without [`Worker::stop`], its leases expire.
pub struct Worker {
    pool: Arc<ClaimPool>,
    services: TaskTracker,
    heartbeat: tokio::task::JoinHandle<()>,
}

impl Worker {
    /// Registers the worker and starts its tasks. Does not fail if a server is unavailable: the
    /// tasks retry.
    pub async fn start(
        launcher: Launcher,
        settings: WorkerSettings,
        backend: NotificationBackend,
        event_stream: Option<EventStreamSettings>,
        mode: WorkerMode,
    ) -> Self {
        let context = WorkerContext::new(launcher, settings, event_stream.clone());
        let context = Arc::new(context);
        let pool = Arc::new(ClaimPool::new(Arc::clone(&context)));
        // Precedes the first notification: the registered slots determine the window of the queue.
        let first = tokio::time::timeout(REGISTRY_LIMIT, heartbeat::beat(&context));
        let _ = caught(first).await;
        let services = TaskTracker::new();
        let heartbeat = services.spawn(heartbeat::supervised(Arc::clone(&context)));
        services.spawn(consumer::run(Arc::clone(&pool), backend));
        let stopping = &context.stopping;
        let shared = Arc::clone(&context);
        services.spawn(every(
            POLL,
            "rescue stalled work",
            stopping.clone(),
            move || rescuer::rescue(Arc::clone(&shared)),
        ));
        let shared = Arc::clone(&pool);
        services.spawn(every(
            POLL,
            "dispatch claimable work",
            stopping.clone(),
            move || dispatcher::dispatch(Arc::clone(&shared)),
        ));
        if let Some(stream) = event_stream {
            let (shared, events) = (Arc::clone(&context), stream.clone());
            services.spawn(async move {
                let run = || suppressed::run(&shared, &events);
                shared.supervise("suppressed counts", run).await;
            });
            let shared = Arc::clone(&context);
            services.spawn(async move {
                let run = || async {
                    upgrade::run(&shared, &stream).await;
                    writer::run(&shared, &stream).await;
                };
                shared.supervise("event writer", run).await;
            });
        }
        if let WorkerMode::Daemon { retention_days } = mode {
            let shared = Arc::clone(&context);
            services.spawn(async move {
                let run = || schedule::run(&shared);
                shared.supervise("schedule", run).await;
            });
            let shared = Arc::clone(&context);
            services.spawn(every(
                PRUNE,
                "prune old records",
                stopping.clone(),
                move || pruner::prune(Arc::clone(&shared), retention_days),
            ));
        }
        Self {
            pool,
            services,
            heartbeat,
        }
    }

    /// Returns the name of the worker in the registry.
    #[must_use]
    pub fn name(&self) -> &str {
        self.pool.context.name()
    }

    /// Returns the counters of the worker since its start.
    #[must_use]
    pub fn counters(&self) -> Arc<WorkerMetrics> {
        Arc::clone(&self.pool.context.metrics)
    }

    /// Records that the worker was asked to end, for each claim that it owns.
    async fn announce_end(&self) {
        let context = &self.pool.context;
        let owned = context.owned.claims();
        let announced = context.launcher.store.announce_end(&owned);
        let announced = tokio::time::timeout(REGISTRY_LIMIT, announced).await;
        if !matches!(announced, Ok(Ok(()))) {
            tracing::warn!("failed to announce the end of the worker; an expiry counts as a crash");
        }
    }

    /// Stops claiming, lets running chunks finish and releases the claims. Returns whether that
    /// completed within the grace time. If it did not, the remaining chunks are given up. An expiry
    /// of their leases is no crash.
    pub async fn stop(self) -> bool {
        let context = &self.pool.context;
        let grace = Duration::from_secs(u64::from(context.settings.grace_s));
        context.stopping.cancel();
        self.announce_end().await;
        let finish = tokio::time::timeout(grace, self.pool.finish());
        tokio::pin!(finish);
        let in_time = loop {
            tokio::select! {
                finished = &mut finish => break finished.is_ok(),
                // A claim can have been under way at the first announcement.
                () = tokio::time::sleep(ANNOUNCE_PERIOD) => self.announce_end().await,
            }
        };
        if !in_time {
            context.giving_up.cancel();
            let _ = tokio::time::timeout(REGISTRY_LIMIT, self.pool.finish()).await;
        }
        // A claim that was dropped because the database failed is not a crash.
        let released = context.dropped.release(&context.launcher.store);
        let _ = tokio::time::timeout(RELEASE_LIMIT, released).await;
        // Aborted only now, so that a finishing chunk keeps its lease.
        self.heartbeat.abort();
        self.services.close();
        let _ = tokio::time::timeout(REGISTRY_LIMIT, self.services.wait()).await;
        let removed = context.launcher.store.remove_worker(context.name());
        let _ = tokio::time::timeout(REGISTRY_LIMIT, removed).await;
        in_time
    }
}

/// Runs an operation periodically until the worker is asked to stop. A run that fails or panics is
/// logged and repeated in the next period.
async fn every<Fut>(
    period: Duration,
    operation: &'static str,
    stopping: CancellationToken,
    run: impl Fn() -> Fut + Send,
) where
    Fut: Future<Output = StoreResult<()>> + Send,
{
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match caught(run()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "failed to {operation}"),
            Err(reason) => tracing::error!(reason, "panicked: failed to {operation}"),
        }
    }
}
