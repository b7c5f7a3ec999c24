//! The port of the job tables.

use super::{
    SqlStore, advance,
    db::{fetch_all, fetch_optional},
    job_rows, launch, prune,
    retry::on_conflict,
    stop,
};
use crate::{
    batch::{
        execution::{JobExecution, JobExecutionId, StepExecutionId},
        job::Job,
        step::StepExecution,
        trace::TraceParent,
    },
    port::{
        audit::Actor,
        error::StoreResult,
        jobs::{Advance, JobRefusal, JobStore, Launched, LaunchedBy, Plan},
    },
};
use async_trait::async_trait;
use chrono::{NaiveDate, NaiveDateTime};

#[async_trait]
impl JobStore for SqlStore {
    async fn launch(
        &self,
        job: Job,
        date: NaiveDate,
        by: &LaunchedBy,
        trace: Option<&TraceParent>,
    ) -> Result<Launched, JobRefusal> {
        on_conflict(|| launch::launch(self, job, date, by, trace)).await
    }

    async fn restart(
        &self,
        id: JobExecutionId,
        retry: Option<StepExecutionId>,
        by: &Actor,
        trace: Option<&TraceParent>,
    ) -> Result<Launched, JobRefusal> {
        on_conflict(|| launch::restart(self, id, retry, by, trace)).await
    }

    async fn execution_of_step(&self, id: StepExecutionId) -> StoreResult<Option<JobExecutionId>> {
        let mut tx = self.db.read().await?;
        let row: Option<(i64,)> = fetch_optional!(
            &mut tx,
            "SELECT JOB_EXECUTION_ID FROM BATCH_STEP_EXECUTION WHERE STEP_EXECUTION_ID = ?",
            id.0
        )?;
        Ok(row.map(|(id,)| JobExecutionId(id)))
    }

    async fn stop(&self, id: JobExecutionId, by: &Actor) -> Result<(), JobRefusal> {
        on_conflict(|| stop::stop(self, id, by)).await
    }

    async fn abandon(&self, id: JobExecutionId, by: &Actor) -> Result<(), JobRefusal> {
        on_conflict(|| stop::abandon(self, id, by)).await
    }

    async fn advance(&self, id: JobExecutionId, plan: Option<Plan>) -> StoreResult<Advance> {
        on_conflict(|| advance::advance(self, id, plan.clone())).await
    }

    async fn running(&self) -> StoreResult<Vec<JobExecutionId>> {
        let mut tx = self.db.read().await?;
        let rows: Vec<(i64,)> = fetch_all!(
            &mut tx,
            "SELECT JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION \
             WHERE STATUS IN ('STARTING', 'STARTED', 'STOPPING') ORDER BY JOB_EXECUTION_ID"
        )?;
        Ok(rows.into_iter().map(|(id,)| JobExecutionId(id)).collect())
    }

    async fn execution(&self, id: JobExecutionId) -> StoreResult<Option<JobExecution>> {
        let mut tx = self.db.read().await?;
        job_rows::job(&mut tx, id, "").await
    }

    async fn executions_of(&self, job: Job, date: NaiveDate) -> StoreResult<Vec<JobExecution>> {
        let mut tx = self.db.read().await?;
        job_rows::jobs_of_date(&mut tx, job, date).await
    }

    async fn executions(
        &self,
        before: Option<JobExecutionId>,
        limit: u32,
    ) -> StoreResult<Vec<JobExecution>> {
        let mut tx = self.db.read().await?;
        job_rows::newest_jobs(&mut tx, before, limit).await
    }

    async fn steps(
        &self,
        id: JobExecutionId,
        after: Option<StepExecutionId>,
        limit: u32,
    ) -> StoreResult<Vec<StepExecution>> {
        let mut tx = self.db.read().await?;
        job_rows::steps_page(&mut tx, id, after.map_or(0, |id| id.0), limit).await
    }

    async fn own_steps(&self, id: JobExecutionId) -> StoreResult<Vec<StepExecution>> {
        let mut tx = self.db.read().await?;
        job_rows::own_steps(&mut tx, id).await
    }

    async fn prune_oldest(&self, ended_before: NaiveDateTime) -> StoreResult<bool> {
        on_conflict(|| prune::oldest(self, ended_before)).await
    }
}
