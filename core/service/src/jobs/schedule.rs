//! What the clock does to jobs: at midnight, and every minute in case one was missed, it looks for
//! a day to settle.
//!
//! Every worker does so; the database decides who wins, so that N of them launch a day once. A day
//! without plays is not launched: it has nothing to settle, and left open it can still be imported.

use crate::jobs::launcher::Launcher;
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    job::{Job, Step},
    status::BatchStatus,
};
use balance_store::{StoreError, StoreResult, jobs::JobError};
use chrono::{NaiveDate, TimeDelta};

/// How long after its end a failed `closeDayStep` is restarted the first time, in seconds; twice
/// as long each further time.
const FIRST_RESTART_S: u32 = 60;
/// The longest such wait, in seconds.
const LONGEST_RESTART_S: u32 = 3_600;

impl Launcher {
    /// Launches the oldest day that is over, active and without an instance, unless an earlier one
    /// is still unsettled; restarts a failed `closeDayStep`. A day that stopped or failed otherwise
    /// waits for a person. Answers the execution if this call started one.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn look(&self) -> StoreResult<Option<JobExecutionId>> {
        let Some(date) = self.store.first_unsettled_day().await? else {
            return Ok(None);
        };
        if date > self.last_day_over()? {
            return Ok(None);
        }
        let executions = self.store.executions_of(Job::DayStatistics, date).await?;
        match executions.first() {
            None => self.launch_missed(date).await,
            Some(newest) if self.may_close_again(newest, executions.len()).await? => {
                match self.restart(newest.id).await {
                    Ok(launched) => Ok(Some(launched.id)),
                    Err(error_response) => was_faster(date, error_response),
                }
            }
            Some(_) => Ok(None),
        }
    }

    async fn launch_missed(&self, date: NaiveDate) -> StoreResult<Option<JobExecutionId>> {
        match self.launch_first(date).await {
            Ok(launched) => {
                tracing::info!(execution = launched.id.0, %date, "launched by the schedule");
                Ok(Some(launched.id))
            }
            Err(error_response) => was_faster(date, error_response),
        }
    }

    /// Whether an execution failed at closing its day, long enough ago.
    async fn may_close_again(&self, newest: &JobExecution, tries: usize) -> StoreResult<bool> {
        if newest.status != BatchStatus::Failed {
            return Ok(false);
        }
        let steps = self.store.steps(newest.id, None, 2).await?;
        let [close] = steps.as_slice() else {
            return Ok(false);
        };
        if close.name.step != Step::CloseDay || close.status != BatchStatus::Failed {
            return Ok(false);
        }
        let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX);
        let wait_s = FIRST_RESTART_S
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(LONGEST_RESTART_S);
        let waited = newest.end_time.map(|end| self.clock.now() - end);
        Ok(waited.is_some_and(|waited| waited >= TimeDelta::seconds(i64::from(wait_s))))
    }
}

/// A refusal is nothing to the schedule: somebody was faster, or the day's turn comes later.
fn was_faster(date: NaiveDate, error_response: JobError) -> StoreResult<Option<JobExecutionId>> {
    match error_response {
        JobError::Store(error) => Err(error),
        error_response => {
            tracing::debug!(%date, %error_response, "not launched by the schedule");
            Ok(None)
        }
    }
}

impl Launcher {
    /// The first midnight of a business day after an instant, in microseconds since 1970 (UTC).
    ///
    /// # Errors
    /// Where it lies outside the calendar's range.
    pub fn next_midnight_micros(&self, after_micros: i64) -> StoreResult<i64> {
        self.timezone
            .day_of(after_micros)
            .map(|day| day.end_micros)
            .map_err(|error| StoreError::Data(error.to_string()))
    }
}
