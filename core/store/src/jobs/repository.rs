//! The port of the job tables.

use crate::{
    Store, StoreResult,
    jobs::{Advance, JobError, Launched, LaunchedBy, Plan, advance, launch, prune, rows, stop},
    operations::Actor,
    sql::{retry::on_conflict, statement::params},
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId, StepExecutionId},
    job::Job,
    step::StepExecution,
    trace::TraceParent,
};
use chrono::{NaiveDate, NaiveDateTime};

impl Store {
    /// Launches a date: its first instance, and for a person also a restart of one that stopped or
    /// failed, or a new instance after an abandoned one. Who works the execution goes on from its
    /// place in a trace.
    pub async fn launch(
        &self,
        job: Job,
        date: NaiveDate,
        by: &LaunchedBy,
        trace: Option<&TraceParent>,
    ) -> Result<Launched, JobError> {
        on_conflict(|| launch::launch(self, job, date, by, trace)).await
    }

    /// Restarts a stopped or failed execution. A quarantined partition stays FAILED unless it is
    /// `retry`.
    pub async fn restart(
        &self,
        id: JobExecutionId,
        retry: Option<StepExecutionId>,
        by: &Actor,
        trace: Option<&TraceParent>,
    ) -> Result<Launched, JobError> {
        on_conflict(|| launch::restart(self, id, retry, by, trace)).await
    }

    /// The execution that holds a quarantined or failed partition, for its retry.
    pub async fn execution_of_step(
        &self,
        id: StepExecutionId,
    ) -> StoreResult<Option<JobExecutionId>> {
        let mut tx = self.db.read().await?;
        let row: Option<(i64,)> = tx
            .fetch_optional(
                "SELECT JOB_EXECUTION_ID FROM BATCH_STEP_EXECUTION WHERE STEP_EXECUTION_ID = ?",
                &params![id.0],
            )
            .await?;
        Ok(row.map(|(id,)| JobExecutionId(id)))
    }

    /// Asks a running execution to stop.
    pub async fn stop(&self, id: JobExecutionId, by: &Actor) -> Result<(), JobError> {
        on_conflict(|| stop::stop(self, id, by)).await
    }

    /// Gives an ended or stopping execution up for good.
    pub async fn abandon(&self, id: JobExecutionId, by: &Actor) -> Result<(), JobError> {
        on_conflict(|| stop::abandon(self, id, by)).await
    }

    /// Takes the next step of an execution, if there is one to take. Idempotent; anybody may call
    /// it. A plan is used where the next step needs one, else ignored.
    pub async fn advance(&self, id: JobExecutionId, plan: Option<Plan>) -> StoreResult<Advance> {
        on_conflict(|| advance::advance(self, id, plan.clone())).await
    }

    /// All running executions, oldest first.
    pub async fn running(&self) -> StoreResult<Vec<JobExecutionId>> {
        let mut tx = self.db.read().await?;
        let rows: Vec<(i64,)> = tx
            .fetch_all(
                "SELECT JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION \
             WHERE STATUS IN ('STARTING', 'STARTED', 'STOPPING') ORDER BY JOB_EXECUTION_ID",
                &[],
            )
            .await?;
        Ok(rows.into_iter().map(|(id,)| JobExecutionId(id)).collect())
    }

    /// One execution.
    pub async fn execution(&self, id: JobExecutionId) -> StoreResult<Option<JobExecution>> {
        let mut tx = self.db.read().await?;
        rows::job(&mut tx, id, "").await
    }

    /// Every execution of a date, newest first.
    pub async fn executions_of(&self, job: Job, date: NaiveDate) -> StoreResult<Vec<JobExecution>> {
        let mut tx = self.db.read().await?;
        rows::jobs_of_date(&mut tx, job, date).await
    }

    /// The newest executions, or those before one; at most `limit`.
    pub async fn executions(
        &self,
        before: Option<JobExecutionId>,
        limit: u32,
    ) -> StoreResult<Vec<JobExecution>> {
        let mut tx = self.db.read().await?;
        rows::newest_jobs(&mut tx, before, limit).await
    }

    /// The step executions of an execution, in the order of their ids, at most `limit` after
    /// `after`.
    pub async fn steps(
        &self,
        id: JobExecutionId,
        after: Option<StepExecutionId>,
        limit: u32,
    ) -> StoreResult<Vec<StepExecution>> {
        let mut tx = self.db.read().await?;
        rows::steps_page(&mut tx, id, after.map_or(0, |id| id.0), limit).await
    }

    /// The rows of an execution's steps without those of partitions, in the order of their ids.
    pub async fn own_steps(&self, id: JobExecutionId) -> StoreResult<Vec<StepExecution>> {
        let mut tx = self.db.read().await?;
        rows::own_steps(&mut tx, id).await
    }

    /// Deletes the step executions, with their contexts, of the oldest job execution that ended
    /// before a time and that nothing will ever go on with: its instance is COMPLETED or ABANDONED.
    /// Instance, execution and parameters stay, for they say that the day is settled. Answers
    /// whether there was one.
    pub async fn prune_oldest(&self, ended_before: NaiveDateTime) -> StoreResult<bool> {
        on_conflict(|| prune::oldest(self, ended_before)).await
    }
}
