//! Watching jobs: executions, steps, workers, what waits, which events were left out, and who did
//! what.

use crate::listing::Listing;
use balance_batch::{
    execution::{JobExecution, JobExecutionId, StepExecutionId},
    job::{Job, StepName},
    status::BatchStatus,
    step::StepExecution,
};
use balance_domain::playback::EventId;
use balance_store::{
    Store, StoreResult,
    events::{EntryId, LateEvent, RejectedEvent},
    jobs::{JobError, Leases, StepProgress},
    operations::{AuditEntry, AuditId, LeaseOwner, RegisteredWorker},
};
use chrono::NaiveDate;
use std::sync::Arc;

/// The most workers that are shown.
const MAX_WORKERS: u32 = 1_000;

/// An execution and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The execution.
    pub execution: JobExecution,
    /// The rows of its steps, in order; partitions are counted in `partitions`.
    pub steps: Vec<StepExecution>,
    /// The partitions of each step that has some.
    pub partitions: Vec<StepProgress>,
}

/// A step execution, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedStepExecution {
    /// The row.
    pub step: StepExecution,
    /// Who has a lease on it.
    pub owner: Option<LeaseOwner>,
}

/// What waits for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Claims that the living workers can work at a time.
    pub slots: u32,
    /// Partitions and tasklets that have not ended.
    pub leases: Leases,
}

/// Watches jobs.
#[derive(Clone)]
pub struct Jobs {
    store: Arc<Store>,
}

impl Jobs {
    /// A service on a store.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// A page of executions, the newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn executions(
        &self,
        before: Option<JobExecutionId>,
        limit: u32,
    ) -> StoreResult<Listing<JobExecution, JobExecutionId>> {
        let items = self
            .store
            .executions(before, limit.saturating_add(1))
            .await?;
        Ok(Listing::of(items, limit, |last| last.id))
    }

    /// Every execution of a day, the newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn executions_of(&self, job: Job, date: NaiveDate) -> StoreResult<Vec<JobExecution>> {
        self.store.executions_of(job, date).await
    }

    /// An execution.
    ///
    /// # Errors
    /// Where there is none, or the store fails.
    pub async fn execution(&self, id: JobExecutionId) -> Result<JobExecution, JobError> {
        let execution = self.store.execution(id).await?;
        execution.ok_or(JobError::NoSuchExecution(id))
    }

    /// An execution and how far it is.
    ///
    /// # Errors
    /// Where there is none, or the store fails.
    pub async fn progress(&self, id: JobExecutionId) -> Result<Progress, JobError> {
        let execution = self.execution(id).await?;
        let steps = self.store.own_steps(id).await?;
        Ok(Progress {
            execution,
            steps,
            partitions: self.store.progress(id).await?,
        })
    }

    /// A page of an execution's step executions, partitions included, in the order of their ids.
    ///
    /// # Errors
    /// Where there is no such execution, or the store fails.
    pub async fn steps(
        &self,
        id: JobExecutionId,
        after: Option<StepExecutionId>,
        limit: u32,
    ) -> Result<Listing<OwnedStepExecution, StepExecutionId>, JobError> {
        self.execution(id).await?;
        let steps = self.store.steps(id, after, limit.saturating_add(1)).await?;
        let mut owners = self.store.owners(id).await?;
        let items = steps
            .into_iter()
            .map(|step| {
                let owner = owners.iter().position(|owner| owner.step == step.id);
                let owner = owner.map(|at| owners.swap_remove(at));
                OwnedStepExecution { step, owner }
            })
            .collect();
        Ok(Listing::of(items, limit, |last: &OwnedStepExecution| {
            last.step.id
        }))
    }

    /// The workers, those seen last first; at most 1,000.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn workers(&self) -> StoreResult<Vec<RegisteredWorker>> {
        self.store.workers(MAX_WORKERS).await
    }

    /// What waits for whom.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn work(&self) -> StoreResult<Work> {
        Ok(Work {
            slots: self.store.slots().await?,
            leases: self.store.leases().await?,
        })
    }

    /// A page of late events, of a day or of all, the newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn late_events(
        &self,
        date: Option<NaiveDate>,
        before: Option<EventId>,
        limit: u32,
    ) -> StoreResult<Listing<LateEvent, EventId>> {
        let items = self
            .store
            .late_events(date, before, limit.saturating_add(1))
            .await?;
        Ok(Listing::of(items, limit, |last| last.id))
    }

    /// A page of rejected entries by shard, the oldest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn rejected_events(
        &self,
        after: Option<EntryId>,
        limit: u32,
    ) -> StoreResult<Listing<RejectedEvent, EntryId>> {
        let items = self
            .store
            .rejected_events(after, limit.saturating_add(1))
            .await?;
        Ok(Listing::of(items, limit, |last| last.id))
    }

    /// A page of the audit, the newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn audit(
        &self,
        before: Option<AuditId>,
        limit: u32,
    ) -> StoreResult<Listing<AuditEntry, AuditId>> {
        let items = self.store.audit(before, limit.saturating_add(1)).await?;
        Ok(Listing::of(items, limit, |last| last.id))
    }
}

impl Progress {
    /// The step that is at work or next, if the execution has not ended.
    #[must_use]
    pub fn current(&self) -> Option<StepName> {
        let begun = self.steps.iter().rev();
        let mut running = begun.filter(|step| step.status != BatchStatus::Completed);
        running.next().map(|step| step.name)
    }
}
