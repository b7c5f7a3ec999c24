//! The launcher: launches, restarts, stops, abandons and advances job executions.

use crate::{jobs::notifier::Notifier, trace};
use balance_batch::{
    execution::{JobExecutionId, StepExecutionId},
    job::Job,
    status::BatchStatus,
};
use balance_domain::{calendar::BusinessTimezone, clock::Clock};
use balance_store::{
    Store, StoreError, StoreResult,
    jobs::{Advance, JobError, Launched, LaunchedBy, Plan},
    operations::Actor,
};
use chrono::NaiveDate;
use std::sync::Arc;
use tracing::{Instrument, Span};

/// Notifications that may wait for each slot of the workers that are alive: one being consumed and one next.
const NOTIFICATIONS_PER_SLOT: u32 = 2;
/// The most notifications that may wait at all. Thousands of them block the queue of a fleet.
const MAX_NOTIFICATIONS: u32 = 1_000;

/// Creates the span of a launch or a restart. The spans of its partitions are children, in every
/// process.
fn launch_span() -> Span {
    tracing::info_span!(
        "launch",
        otel.kind = "producer",
        job_execution = tracing::field::Empty
    )
}

/// Returns the most notifications that may wait for a number of slots.
pub(crate) fn window(slots: u32) -> u32 {
    slots
        .max(1)
        .saturating_mul(NOTIFICATIONS_PER_SLOT)
        .min(MAX_NOTIFICATIONS)
}

/// Launches and advances job executions.
#[derive(Clone)]
pub struct Launcher {
    pub store: Arc<Store>,
    pub notifier: Arc<dyn Notifier>,
    pub clock: Arc<dyn Clock>,
    /// The time zone of the business days.
    pub timezone: BusinessTimezone,
    /// The number of partitions of a step, 1 to [`balance_batch::partition::MAX_PARTITIONS`].
    pub partitions: u32,
    /// The actor that the audit names.
    pub actor: Actor,
}

impl Launcher {
    /// Returns a launcher that acts for another actor.
    #[must_use]
    pub fn by(&self, actor: Actor) -> Self {
        Self {
            actor,
            ..self.clone()
        }
    }

    /// Returns the last business day that is over.
    ///
    /// # Errors
    /// If the clock is outside the calendar's range.
    pub fn last_day_over(&self) -> StoreResult<NaiveDate> {
        self.timezone
            .last_day_over(self.clock.now_micros())
            .map_err(|error| StoreError::Data(error.to_string()))
    }

    /// Launches the settlement of a day for the actor.
    ///
    /// # Errors
    /// If the launch is rejected or the store fails.
    pub async fn launch(&self, date: NaiveDate) -> Result<Launched, JobError> {
        let by = LaunchedBy::Operator(self.actor.clone());
        self.launch_by(date, &by).await
    }

    /// Launches the settlement of a day that has no job instance, for the schedule.
    ///
    /// # Errors
    /// If the launch is rejected or the store fails.
    pub(crate) async fn launch_scheduled(&self, date: NaiveDate) -> Result<Launched, JobError> {
        self.launch_by(date, &LaunchedBy::Schedule).await
    }

    async fn launch_by(&self, date: NaiveDate, by: &LaunchedBy) -> Result<Launched, JobError> {
        let last_over = self.last_day_over()?;
        if date > last_over {
            return Err(JobError::DayNotOver { date, last_over });
        }
        let start = async {
            let (job, trace) = (Job::DayStatistics, trace::current());
            self.store.launch(job, date, by, trace.as_ref()).await
        };
        self.start_in_span(start, launch_span()).await
    }

    /// Restarts a stopped or failed execution.
    ///
    /// # Errors
    /// If the restart is rejected or the store fails.
    pub async fn restart(&self, id: JobExecutionId) -> Result<Launched, JobError> {
        self.restart_for(id, None).await
    }

    /// Restarts the execution of a failed partition. The partition runs again even if it is
    /// quarantined.
    ///
    /// # Errors
    /// If the retry is rejected or the store fails.
    pub async fn retry(&self, id: StepExecutionId) -> Result<Launched, JobError> {
        let execution = self.store.execution_of_step(id).await?;
        let execution = execution.ok_or(JobError::NoSuchStep(id))?;
        self.restart_for(execution, Some(id)).await
    }

    async fn restart_for(
        &self,
        id: JobExecutionId,
        retry: Option<StepExecutionId>,
    ) -> Result<Launched, JobError> {
        let start = async {
            let trace = trace::current();
            let (store, actor) = (&self.store, &self.actor);
            store.restart(id, retry, actor, trace.as_ref()).await
        };
        self.start_in_span(start, launch_span()).await
    }

    /// Starts an execution and advances it, in a span that is the parent of its partitions' spans.
    async fn start_in_span(
        &self,
        start: impl Future<Output = Result<Launched, JobError>> + Send,
        span: Span,
    ) -> Result<Launched, JobError> {
        let launch = async {
            let launched = start.await?;
            Span::current().record("job_execution", launched.id.0);
            self.advance(launched.id).await?;
            Ok(launched)
        };
        launch.instrument(span).await
    }

    /// Asks an execution to stop.
    ///
    /// # Errors
    /// If the stop is rejected or the store fails.
    pub async fn stop(&self, id: JobExecutionId) -> Result<(), JobError> {
        self.store.stop(id, &self.actor).await?;
        self.advance(id).await?;
        Ok(())
    }

    /// Abandons an execution, which then can never be restarted.
    ///
    /// # Errors
    /// If the request is rejected or the store fails.
    pub async fn abandon(&self, id: JobExecutionId) -> Result<(), JobError> {
        self.store.abandon(id, &self.actor).await
    }

    /// Advances an execution up to the next step that needs workers. Idempotent: any process may
    /// call it at any time. Returns the final status if this call reached it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn advance(&self, id: JobExecutionId) -> StoreResult<Option<BatchStatus>> {
        let mut plan = None;
        loop {
            match self.store.advance(id, plan.take()).await? {
                Advance::Waiting => return Ok(None),
                Advance::NeedsPlan { step, date } => {
                    // Computed before any lock is taken, and discarded if another process was
                    // faster.
                    let ranges = self.store.plan(step, date, self.partitions).await?;
                    plan = Some(Plan { step, ranges });
                }
                Advance::Started(ids) => self.notify(&ids).await,
                Advance::StepEnded => {}
                Advance::Ended(status) => {
                    tracing::info!(execution = id.0, %status, "job execution ended");
                    return Ok(Some(status));
                }
            }
        }
    }

    /// Notifies workers of step executions. If the queue is unavailable or full, the workers' poll
    /// finds the work later.
    pub async fn notify(&self, ids: &[StepExecutionId]) {
        if ids.is_empty() {
            return;
        }
        match self.store.slots().await {
            Ok(slots) => self.notifier.notify(ids, window(slots)),
            Err(error) => tracing::warn!(%error, "failed to notify workers"),
        }
    }
}
