//! Reads of job executions and step executions.

use crate::{
    Store, StoreError, StoreResult,
    jobs::rows,
    sql::{statement::params, statuses},
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId, StepExecutionId},
    job::Job,
    status::BatchStatus,
    step::StepExecution,
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

impl Store {
    /// Returns all running executions that Balance launched, oldest first.
    pub async fn running(&self) -> StoreResult<Vec<JobExecutionId>> {
        let running = statuses::running();
        let mut tx = self.db.read().await?;
        let rows: Vec<(i64,)> = tx
            .fetch_all(
                AssertSqlSafe(format!(
                    "SELECT e.JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION e \
                     JOIN job_execution_launch n ON n.job_execution_id = e.JOB_EXECUTION_ID \
                     WHERE e.STATUS IN {running} ORDER BY e.JOB_EXECUTION_ID"
                )),
                &[],
            )
            .await?;
        Ok(rows.into_iter().map(|(id,)| JobExecutionId(id)).collect())
    }

    /// Returns the executions that ended without success and have leases, because another program ended
    /// them.
    pub async fn unclosed(&self) -> StoreResult<Vec<JobExecutionId>> {
        let unsuccessful = statuses::list([
            BatchStatus::Stopped,
            BatchStatus::Failed,
            BatchStatus::Abandoned,
            BatchStatus::Unknown,
        ]);
        let mut tx = self.db.read().await?;
        // A join would read all leases first. They outnumber these executions by far.
        let rows: Vec<(i64,)> = tx
            .fetch_all(
                AssertSqlSafe(format!(
                    "SELECT e.JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION e \
                     WHERE e.STATUS IN {unsuccessful} AND (SELECT MIN(l.lease_until_micros) \
                     FROM step_lease l WHERE l.job_execution_id = e.JOB_EXECUTION_ID) IS NOT NULL"
                )),
                &[],
            )
            .await?;
        Ok(rows.into_iter().map(|(id,)| JobExecutionId(id)).collect())
    }

    /// Returns an execution.
    pub async fn execution(&self, id: JobExecutionId) -> StoreResult<Option<JobExecution>> {
        let mut tx = self.db.read().await?;
        rows::job(&mut tx, id, "").await
    }

    /// Returns the executions of a date, newest first.
    pub async fn executions_of(&self, job: Job, date: NaiveDate) -> StoreResult<Vec<JobExecution>> {
        let mut tx = self.db.read().await?;
        rows::jobs_of_date(&mut tx, job, date).await
    }

    /// Returns at most `limit` executions, newest first: all, or those before one.
    pub async fn executions(
        &self,
        before: Option<JobExecutionId>,
        limit: u32,
    ) -> StoreResult<Vec<JobExecution>> {
        let mut tx = self.db.read().await?;
        rows::newest_jobs(&mut tx, before, limit).await
    }

    /// Returns at most `limit` step executions of an execution after `after`, in the order of their
    /// ids.
    pub async fn steps(
        &self,
        id: JobExecutionId,
        after: Option<StepExecutionId>,
        limit: u32,
    ) -> StoreResult<Vec<StepExecution>> {
        let mut tx = self.db.read().await?;
        rows::steps_page(&mut tx, id, after.map_or(0, |id| id.0), limit).await
    }

    /// Returns the managers and tasklets of an execution, without partitions, in the order of their
    /// ids.
    pub async fn own_steps(&self, id: JobExecutionId) -> StoreResult<Vec<StepExecution>> {
        let mut tx = self.db.read().await?;
        rows::own_steps(&mut tx, id).await
    }

    /// Returns the status of an execution.
    pub async fn execution_status(&self, id: JobExecutionId) -> StoreResult<BatchStatus> {
        let mut tx = self.db.read().await?;
        let row: Option<(Option<String>,)> = tx
            .fetch_optional(
                "SELECT STATUS FROM BATCH_JOB_EXECUTION WHERE JOB_EXECUTION_ID = ?",
                &params![id.0],
            )
            .await?;
        let (word,) =
            row.ok_or_else(|| StoreError::Damaged(format!("job execution {id} does not exist")))?;
        rows::status(word)
    }

    /// Returns the job execution of a step execution.
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
}
