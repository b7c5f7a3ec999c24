//! A running worker: its tasks, started together and ended together.

use crate::{consumer, crew::Crew, dispatcher, heartbeat, settings::WorkerSettings};
use balance_core::{queue::EmbeddedBackend, service::launcher::Launcher};
use std::{sync::Arc, time::Duration};
use tokio_util::task::TaskTracker;

/// A worker at work. Dropping it without [`Worker::stop`] leaves its leases to run out.
pub struct Worker {
    crew: Arc<Crew>,
    services: TaskTracker,
    heartbeat: tokio::task::JoinHandle<()>,
}

impl Worker {
    /// Starts consumer, dispatcher and heartbeat.
    #[must_use]
    pub fn start(launcher: Launcher, settings: WorkerSettings, backend: EmbeddedBackend) -> Self {
        let crew = Arc::new(Crew::new(launcher, settings));
        let services = TaskTracker::new();
        services.spawn(consumer::run(Arc::clone(&crew), backend));
        services.spawn(dispatcher::run(Arc::clone(&crew)));
        let heartbeat = services.spawn(heartbeat::run(Arc::clone(&crew)));
        Self {
            crew,
            services,
            heartbeat,
        }
    }

    /// Claims nothing more, lets running chunks finish, gives the leases back. Answers whether
    /// that was done within the grace time; if not, the leases run out by themselves.
    pub async fn stop(self) -> bool {
        let grace = Duration::from_secs(u64::from(self.crew.settings.grace_s));
        self.crew.ending.cancel();
        self.crew.loops.close();
        let in_time = tokio::time::timeout(grace, self.crew.loops.wait())
            .await
            .is_ok();
        // What a failure of the database made us drop was no crash.
        let given_back = self.crew.give_back_dropped();
        let _ = tokio::time::timeout(Duration::from_secs(1), given_back).await;
        // Last, so that a finishing chunk keeps its lease.
        self.heartbeat.abort();
        self.services.close();
        let _ = tokio::time::timeout(Duration::from_secs(1), self.services.wait()).await;
        in_time
    }
}
