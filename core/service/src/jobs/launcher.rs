//! The launcher: everything that people and clocks do to jobs, and the one way in which an
//! execution advances.

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

/// Rings that may wait for each known slot: one that is taken and one that is next.
const NOTIFICATIONS_PER_SLOT: u32 = 2;
/// The most rings that may wait at all: thousands of them wedge the fleet's queue.
const MAX_NOTIFICATIONS: u32 = 1_000;

/// The span of a launch or a restart: its partitions follow it, in whatever process.
fn launch_span() -> Span {
    tracing::info_span!(
        "launch",
        otel.kind = "producer",
        job_execution = tracing::field::Empty
    )
}

/// The most rings that wait at a time for so many slots.
pub(crate) fn window(slots: u32) -> u32 {
    slots
        .max(1)
        .saturating_mul(NOTIFICATIONS_PER_SLOT)
        .min(MAX_NOTIFICATIONS)
}

/// Launches and advances executions.
#[derive(Clone)]
pub struct Launcher {
    /// The database.
    pub store: Arc<Store>,
    /// The doorbell.
    pub queue: Arc<dyn Notifier>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The zone of the business days.
    pub timezone: BusinessTimezone,
    /// Partitions of a step, 1 to [`balance_batch::partition::MAX_PARTITIONS`].
    pub partitions: u32,
    /// On whose behalf it acts.
    pub actor: Actor,
}

impl Launcher {
    /// The same, on somebody's behalf.
    #[must_use]
    pub fn by(&self, actor: Actor) -> Self {
        Self {
            actor,
            ..self.clone()
        }
    }

    /// The last business day that is over.
    ///
    /// # Errors
    /// Where the clock is out of the calendar's range.
    pub fn last_day_over(&self) -> StoreResult<NaiveDate> {
        self.timezone
            .last_day_over(self.clock.now_micros())
            .map_err(|error| StoreError::Data(error.to_string()))
    }

    /// Launches the settlement of a day.
    ///
    /// # Errors
    /// Where it is refused; nothing was changed then.
    pub async fn launch(&self, date: NaiveDate) -> Result<Launched, JobError> {
        let by = LaunchedBy::Person(self.actor.clone());
        self.launch_by(date, &by).await
    }

    /// Launches the settlement of a day that has no instance.
    ///
    /// # Errors
    /// Where it is refused; nothing was changed then.
    pub async fn launch_first(&self, date: NaiveDate) -> Result<Launched, JobError> {
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
        self.started(start, launch_span()).await
    }

    /// Restarts a stopped or failed execution.
    ///
    /// # Errors
    /// Where it is refused.
    pub async fn restart(&self, id: JobExecutionId) -> Result<Launched, JobError> {
        self.restart_for(id, None).await
    }

    /// Restarts the execution of a failed partition, which runs again even if it is quarantined.
    ///
    /// # Errors
    /// Where it is refused.
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
        self.started(start, launch_span()).await
    }

    /// Starts an execution and takes it as far as it goes, in a span that its partitions follow.
    async fn started(
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
    /// Where it is refused.
    pub async fn stop(&self, id: JobExecutionId) -> Result<(), JobError> {
        self.store.stop(id, &self.actor).await?;
        self.advance(id).await?;
        Ok(())
    }

    /// Gives an execution up for good.
    ///
    /// # Errors
    /// Where it is refused.
    pub async fn abandon(&self, id: JobExecutionId) -> Result<(), JobError> {
        self.store.abandon(id, &self.actor).await
    }

    /// Takes an execution as far as it goes without waiting. Idempotent; anybody may call it.
    /// Answers its final status if that was reached just now.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn advance(&self, id: JobExecutionId) -> StoreResult<Option<BatchStatus>> {
        let mut plan = None;
        loop {
            match self.store.advance(id, plan.take()).await? {
                Advance::Waiting => return Ok(None),
                Advance::NeedsPlan { step, date } => {
                    // Made before any lock is held; thrown away if another was faster.
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

    /// Rings for work. A queue that is away, or full enough for the workers there are, costs
    /// latency only.
    pub async fn notify(&self, ids: &[StepExecutionId]) {
        if ids.is_empty() {
            return;
        }
        match self.store.slots().await {
            Ok(slots) => self.queue.notify(ids, window(slots)),
            Err(error) => tracing::warn!(%error, "not rung"),
        }
    }
}
