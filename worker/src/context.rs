//! The state that all tasks of a worker share.

use crate::{
    claims::{dropped::DroppedClaims, owned::OwnedClaims},
    settings::{EventStreamSettings, WorkerSettings},
};
use balance_batch::{execution::JobExecutionId, status::BatchStatus};
use balance_service::{
    jobs::launcher::Launcher, operations::counters::WorkerMetrics, supervision::supervise,
};
use balance_store::StoreResult;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The launcher, settings, claims and counters of one worker.
pub(crate) struct WorkerContext {
    pub(crate) launcher: Launcher,
    pub(crate) settings: WorkerSettings,
    /// The event stream of the fleet. `None` if the process runs without one.
    pub(crate) event_stream: Option<EventStreamSettings>,
    pub(crate) owned: OwnedClaims,
    pub(crate) dropped: DroppedClaims,
    /// Cancelled when the worker is asked to stop: no new claim starts, running chunks finish.
    pub(crate) stopping: CancellationToken,
    /// Cancelled when the time of a shutdown is over: running chunks are given up.
    pub(crate) giving_up: CancellationToken,
    /// Wakes the schedule, which checks for a due day.
    pub(crate) schedule_wake: Notify,
    pub(crate) metrics: Arc<WorkerMetrics>,
}

impl WorkerContext {
    pub(crate) fn new(
        launcher: Launcher,
        settings: WorkerSettings,
        event_stream: Option<EventStreamSettings>,
    ) -> Self {
        Self {
            launcher,
            settings,
            event_stream,
            owned: OwnedClaims::default(),
            dropped: DroppedClaims::default(),
            stopping: CancellationToken::new(),
            giving_up: CancellationToken::new(),
            schedule_wake: Notify::new(),
            metrics: Arc::default(),
        }
    }

    /// Returns the name of the worker in the registry.
    pub(crate) fn name(&self) -> &str {
        &self.settings.identity.name
    }

    /// Runs a task until the worker is asked to stop. A task that panics is started again.
    pub(crate) async fn supervise<Fut: Future<Output = ()>>(
        &self,
        task: &'static str,
        run: impl FnMut() -> Fut,
    ) {
        let panicked = || self.metrics.task_panics.add(1);
        supervise(task, &self.stopping, run, panicked).await;
    }

    /// Advances an execution. If that settles its day, wakes the schedule for the next day.
    pub(crate) async fn advance(&self, id: JobExecutionId) -> StoreResult<()> {
        if self.launcher.advance(id).await? == Some(BatchStatus::Completed) {
            self.schedule_wake.notify_one();
        }
        Ok(())
    }
}
