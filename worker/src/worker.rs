//! A running worker: its tasks, started together and ended together.

use crate::{
    claims::{heartbeat, pool::ClaimPool},
    events::{
        suppressed,
        writer::{self, Events},
    },
    maintenance::{dispatcher, pruner, rescuer},
    queue::{NotificationBackend, consumer},
    schedule,
    settings::{WorkerMode, WorkerSettings},
};
use balance_service::{jobs::launcher::Launcher, operations::counters::WorkerMetrics};
use balance_store::StoreResult;
use std::{sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;

/// How often the dispatcher and the rescuer look.
const POLL: Duration = Duration::from_secs(1);
/// How often the pruner runs.
const PRUNE: Duration = Duration::from_secs(3_600);
/// How long the first and each last word to the database may take.
const LAST_WORD: Duration = Duration::from_secs(1);

/// A worker at work. Dropping it without [`Worker::stop`] leaves its leases to run out.
pub struct Worker {
    pool: Arc<ClaimPool>,
    services: TaskTracker,
    heartbeat: tokio::task::JoinHandle<()>,
}

impl Worker {
    /// Registers the worker and starts its services. Needs nothing to be there: what is away is
    /// tried again.
    pub async fn start(
        launcher: Launcher,
        settings: WorkerSettings,
        backend: NotificationBackend,
        events: Option<Events>,
        mode: WorkerMode,
    ) -> Self {
        let pool = Arc::new(ClaimPool::new(launcher, settings, events.clone()));
        // Before the first ring, whose window is made by the slots that are known.
        let _ = tokio::time::timeout(LAST_WORD, heartbeat::beat(&pool)).await;
        let services = TaskTracker::new();
        let heartbeat = services.spawn(heartbeat::run(Arc::clone(&pool)));
        services.spawn(consumer::run(Arc::clone(&pool), backend));
        services.spawn(every(POLL, "rescue", Arc::clone(&pool), rescuer::rescue));
        services.spawn(every(
            POLL,
            "dispatch",
            Arc::clone(&pool),
            dispatcher::dispatch,
        ));
        if let Some(events) = events {
            services.spawn(suppressed::run(Arc::clone(&pool), events.clone()));
            services.spawn(writer::run(Arc::clone(&pool), events));
        }
        if let WorkerMode::Daemon { retention_days } = mode {
            services.spawn(schedule::run(Arc::clone(&pool)));
            services.spawn(every(PRUNE, "prune", Arc::clone(&pool), move |pool| {
                pruner::prune(pool, retention_days)
            }));
        }
        Self {
            pool,
            services,
            heartbeat,
        }
    }

    /// The worker's name in the registry.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.pool.settings.identity.name
    }

    /// What it did since it started.
    #[must_use]
    pub fn counters(&self) -> Arc<WorkerMetrics> {
        Arc::clone(&self.pool.counters)
    }

    /// Claims nothing more, lets running chunks finish, gives the leases back. Answers whether
    /// that was done within the grace time; if not, the leases run out by themselves.
    pub async fn stop(self) -> bool {
        let grace = Duration::from_secs(u64::from(self.pool.settings.grace_s));
        self.pool.ending.cancel();
        self.pool.loops.close();
        let in_time = tokio::time::timeout(grace, self.pool.loops.wait())
            .await
            .is_ok();
        // What a failure of the database made us drop was no crash.
        let given_back = self.pool.release_dropped();
        let _ = tokio::time::timeout(LAST_WORD, given_back).await;
        // Last, so that a finishing chunk keeps its lease.
        self.heartbeat.abort();
        self.services.close();
        let _ = tokio::time::timeout(LAST_WORD, self.services.wait()).await;
        let forgotten = self.pool.launcher.store.forget_worker(self.name());
        let _ = tokio::time::timeout(LAST_WORD, forgotten).await;
        in_time
    }
}

/// Does something now and then, until the worker is asked to end. What fails is done again the
/// next time.
async fn every<F, Fut>(period: Duration, what: &'static str, pool: Arc<ClaimPool>, command: F)
where
    F: Fn(Arc<ClaimPool>) -> Fut + Send,
    Fut: Future<Output = StoreResult<()>> + Send,
{
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = pool.ending.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = command(Arc::clone(&pool)).await {
            tracing::warn!(%error, "{what} failed");
        }
    }
}
