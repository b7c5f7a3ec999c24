//! Queries about jobs: executions, steps, workers, the queue, dead letters and the audit.

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

/// The most workers in a list.
const MAX_WORKERS: u32 = 1_000;

/// An execution with the progress of its steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionProgress {
    pub execution: JobExecution,
    /// The step executions in order, without partitions.
    pub steps: Vec<StepExecution>,
    /// The partition counts of each partitioned step that has started.
    pub partitions: Vec<StepProgress>,
}

/// A step execution and the owner of its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedStepExecution {
    pub step: StepExecution,
    pub owner: Option<LeaseOwner>,
}

/// The claimable work and the workers' capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueState {
    /// The number of claims that the workers that are alive can process at a time.
    pub slots: u32,
    /// The leases of partitions and tasklets that have not ended.
    pub leases: Leases,
}

/// Answers queries about jobs.
#[derive(Clone)]
pub struct Jobs {
    store: Arc<Store>,
}

impl Jobs {
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// Returns a page of executions, newest first.
    ///
    /// # Errors
    /// If the store fails.
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

    /// Returns all executions of a day, newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn executions_of(&self, job: Job, date: NaiveDate) -> StoreResult<Vec<JobExecution>> {
        self.store.executions_of(job, date).await
    }

    /// Returns an execution.
    ///
    /// # Errors
    /// If the execution does not exist, or the store fails.
    pub async fn execution(&self, id: JobExecutionId) -> Result<JobExecution, JobError> {
        let execution = self.store.execution(id).await?;
        execution.ok_or(JobError::NoSuchExecution(id))
    }

    /// Returns an execution with the progress of its steps.
    ///
    /// # Errors
    /// If the execution does not exist, or the store fails.
    pub async fn progress(&self, id: JobExecutionId) -> Result<ExecutionProgress, JobError> {
        let execution = self.execution(id).await?;
        let steps = self.store.own_steps(id).await?;
        Ok(ExecutionProgress {
            execution,
            steps,
            partitions: self.store.progress(id).await?,
        })
    }

    /// Returns a page of an execution's step executions, partitions included, ordered by id.
    ///
    /// # Errors
    /// If the execution does not exist, or the store fails.
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

    /// Returns at most 1,000 workers, the most recently seen first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn workers(&self) -> StoreResult<Vec<RegisteredWorker>> {
        self.store.workers(MAX_WORKERS).await
    }

    /// Returns the claimable work and the workers' capacity.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn queue_state(&self) -> StoreResult<QueueState> {
        Ok(QueueState {
            slots: self.store.slots().await?,
            leases: self.store.leases().await?,
        })
    }

    /// Returns a page of late events, of one day or of all days, newest first.
    ///
    /// # Errors
    /// If the store fails.
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

    /// Returns a page of rejected entries, ordered by shard, oldest first.
    ///
    /// # Errors
    /// If the store fails.
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

    /// Returns a page of the audit, newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn audit(
        &self,
        before: Option<AuditId>,
        limit: u32,
    ) -> StoreResult<Listing<AuditEntry, AuditId>> {
        let items = self.store.audit(before, limit.saturating_add(1)).await?;
        Ok(Listing::of(items, limit, |last| last.id))
    }
}

impl ExecutionProgress {
    /// Returns the step that is running or next; `None` if all steps have completed.
    #[must_use]
    pub fn current(&self) -> Option<StepName> {
        let begun = self.steps.iter().rev();
        let mut running = begun.filter(|step| step.status != BatchStatus::Completed);
        running.next().map(|step| step.name)
    }
}
