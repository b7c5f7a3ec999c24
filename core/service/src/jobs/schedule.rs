//! The schedule: launches the day that is due.
//!
//! Every worker runs the schedule, and the database ensures that a day is launched only once. A day
//! without plays is not launched: it has nothing to settle, and plays can still be imported into an
//! open day.

use crate::jobs::launcher::Launcher;
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    job::{Job, Step},
    status::BatchStatus,
};
use balance_store::{StoreError, StoreResult, jobs::JobError};
use chrono::{NaiveDate, TimeDelta};

/// The wait before the first restart of a failed `closeDayStep`, in seconds. It doubles with each
/// further restart.
const MIN_RESTART_WAIT_S: u32 = 60;
/// The longest wait before a restart, in seconds.
const MAX_RESTART_WAIT_S: u32 = 3_600;

impl Launcher {
    /// Launches the oldest unsettled day that is over and has plays, or restarts its failed
    /// `closeDayStep`. A day that was stopped, failed in another step or was last run by another
    /// program waits for an operator.
    /// Returns the execution that this call started.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn launch_due(&self) -> StoreResult<Option<JobExecutionId>> {
        self.launch_due_by(i64::MAX).await
    }

    /// Does the same for days that were over at an instant, in microseconds since 1970 (UTC).
    ///
    /// # Errors
    /// If the store fails.
    pub async fn launch_due_by(&self, limit_micros: i64) -> StoreResult<Option<JobExecutionId>> {
        let Some(date) = self.store.first_unsettled_day().await? else {
            return Ok(None);
        };
        let now_micros = self.clock.now_micros().min(limit_micros);
        let last_over = self.timezone.last_day_over(now_micros);
        if date > last_over.map_err(|error| StoreError::Data(error.to_string()))? {
            return Ok(None);
        }
        let executions = self.store.executions_of(Job::DayStatistics, date).await?;
        match executions.first() {
            None => self.launch_new(date).await,
            Some(newest) if self.may_restart_closing(newest, executions.len()).await? => {
                match self.restart(newest.id).await {
                    Ok(launched) => Ok(Some(launched.id)),
                    Err(error) => ignore_rejection(date, error),
                }
            }
            Some(_) => Ok(None),
        }
    }

    async fn launch_new(&self, date: NaiveDate) -> StoreResult<Option<JobExecutionId>> {
        match self.launch_scheduled(date).await {
            Ok(launched) => {
                tracing::info!(execution = launched.id.0, %date, "scheduled day launched");
                Ok(Some(launched.id))
            }
            Err(error) => ignore_rejection(date, error),
        }
    }

    /// Returns the first midnight of a business day after an instant. Both are in microseconds
    /// since 1970 (UTC).
    ///
    /// # Errors
    /// If the midnight is outside the calendar's range.
    pub fn next_midnight_micros(&self, after_micros: i64) -> StoreResult<i64> {
        self.timezone
            .day_of(after_micros)
            .map(|day| day.end_micros)
            .map_err(|error| StoreError::Data(error.to_string()))
    }

    /// Returns whether an execution failed in `closeDayStep` and the wait before a restart is over.
    async fn may_restart_closing(
        &self,
        newest: &JobExecution,
        executions: usize,
    ) -> StoreResult<bool> {
        if newest.status != BatchStatus::Failed || newest.is_foreign {
            return Ok(false);
        }
        let steps = self.store.steps(newest.id, None, 2).await?;
        let [close] = steps.as_slice() else {
            return Ok(false);
        };
        if close.name.step != Step::CloseDay || close.status != BatchStatus::Failed {
            return Ok(false);
        }
        let doublings = u32::try_from(executions.saturating_sub(1)).unwrap_or(u32::MAX);
        let wait_s = MIN_RESTART_WAIT_S
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(MAX_RESTART_WAIT_S);
        let waited = newest.end_time.map(|end| self.clock.now() - end);
        Ok(waited.is_some_and(|waited| waited >= TimeDelta::seconds(i64::from(wait_s))))
    }
}

/// Ignores a rejected launch: another process was faster, or an earlier day comes first.
fn ignore_rejection(date: NaiveDate, error: JobError) -> StoreResult<Option<JobExecutionId>> {
    match error {
        JobError::Store(error) => Err(error),
        error => {
            tracing::debug!(%date, %error, "scheduled launch rejected");
            Ok(None)
        }
    }
}
