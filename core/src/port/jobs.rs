//! Job executions: launching, advancing, stopping, restarting and reading them.

use super::{
    audit::Actor,
    error::{StoreError, StoreResult},
};
use crate::batch::{
    execution::{JobExecution, JobExecutionId, StepExecutionId},
    job::{Job, Step},
    partition::IdRange,
    status::BatchStatus,
    step::StepExecution,
    trace::TraceParent,
};
use async_trait::async_trait;
use chrono::{NaiveDate, NaiveDateTime};

/// Why a job operation is refused. The names are Spring Batch's where it has one.
#[derive(Debug, thiserror::Error)]
pub enum JobRefusal {
    /// The date is settled.
    #[error("JobInstanceAlreadyComplete: {job} for {date} is settled (execution {execution})")]
    AlreadyComplete {
        /// The job.
        job: Job,
        /// The business day.
        date: NaiveDate,
        /// The execution that settled it.
        execution: JobExecutionId,
    },
    /// An execution of the date is running.
    #[error("JobExecutionAlreadyRunning: execution {execution} of {date} is {status}")]
    AlreadyRunning {
        /// The business day.
        date: NaiveDate,
        /// The execution.
        execution: JobExecutionId,
        /// Its status.
        status: BatchStatus,
    },
    /// An earlier execution ended in a way that nobody knows.
    #[error("JobRestart: execution {execution} is UNKNOWN; abandon it first")]
    Unknown {
        /// The execution.
        execution: JobExecutionId,
    },
    /// The execution cannot be restarted as it is.
    #[error(
        "NotRestartable: execution {execution} is {status}; only STOPPED and FAILED ones restart"
    )]
    NotRestartable {
        /// The execution.
        execution: JobExecutionId,
        /// Its status.
        status: BatchStatus,
    },
    /// The execution cannot be stopped as it is.
    #[error("JobExecutionNotRunning: execution {execution} is {status}")]
    NotRunning {
        /// The execution.
        execution: JobExecutionId,
        /// Its status.
        status: BatchStatus,
    },
    /// The execution cannot be abandoned as it is.
    #[error(
        "NotAbandonable: execution {execution} is {status}; only one that is STOPPING, STOPPED or \
         FAILED can be abandoned"
    )]
    NotAbandonable {
        /// The execution.
        execution: JobExecutionId,
        /// Its status.
        status: BatchStatus,
    },
    /// A newer execution of the same date exists.
    #[error("NotNewest: execution {newest} of {date} is newer than {execution}")]
    NotNewest {
        /// The business day.
        date: NaiveDate,
        /// The execution asked for.
        execution: JobExecutionId,
        /// The newest one.
        newest: JobExecutionId,
    },
    /// There is no such execution.
    #[error("NoSuchJobExecution: there is no execution {0}")]
    NoSuchExecution(JobExecutionId),
    /// There is no such step execution.
    #[error("NoSuchStepExecution: there is no step execution {0}")]
    NoSuchStep(StepExecutionId),
    /// The step execution cannot be retried.
    #[error("NotRetryable: step execution {id} {reason}")]
    NotRetryable {
        /// The step execution.
        id: StepExecutionId,
        /// Why not.
        reason: &'static str,
    },
    /// The day is still going on, or lies in the future.
    #[error("DayNotOver: {date} is not over; the last day that is over is {last_over}")]
    DayNotOver {
        /// The business day.
        date: NaiveDate,
        /// The last day that is over.
        last_over: NaiveDate,
    },
    /// The schedule launches only dates that have no instance: what stopped or failed waits for a
    /// person.
    #[error("JobInstanceExists: execution {execution} of {date} is {status}")]
    InstanceExists {
        /// The business day.
        date: NaiveDate,
        /// Its newest execution.
        execution: JobExecutionId,
        /// That one's status.
        status: BatchStatus,
    },
    /// Days settle in order.
    #[error("EarlierDayUnsettled: {earlier} has plays and is not settled; days settle in order")]
    EarlierDayUnsettled {
        /// The day to settle first.
        earlier: NaiveDate,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A launched execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launched {
    /// Its id.
    pub id: JobExecutionId,
    /// Whether it takes up an earlier execution that stopped or failed.
    pub is_restart: bool,
}

/// On whose behalf a date is launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaunchedBy {
    /// A person: a first instance, a restart, or a new instance after an abandoned one.
    Person(Actor),
    /// The schedule: a first instance only.
    Schedule,
}

/// What one call of [`JobStore::advance`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// Nothing to do: partitions are at work, or the execution has ended.
    Waiting,
    /// The next step is partitioned, and the instance has no partitions of it yet: call again
    /// with a plan.
    NeedsPlan {
        /// The step.
        step: Step,
        /// The business day.
        date: NaiveDate,
    },
    /// A step began; these can be claimed.
    Started(Vec<StepExecutionId>),
    /// A step ended; call again.
    StepEnded,
    /// The execution ended.
    Ended(BatchStatus),
}

/// The plan of a partitioned step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The step that it is for.
    pub step: Step,
    /// The ranges, in order; none where there is nothing to do.
    pub ranges: Vec<IdRange>,
}

/// The job tables.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Launches a date: its first instance, and for a person also a restart of one that stopped or
    /// failed, or a new instance after an abandoned one. Who works the execution goes on from its
    /// place in a trace.
    async fn launch(
        &self,
        job: Job,
        date: NaiveDate,
        by: &LaunchedBy,
        trace: Option<&TraceParent>,
    ) -> Result<Launched, JobRefusal>;

    /// Restarts a stopped or failed execution. A quarantined partition stays FAILED unless it is
    /// `retry`.
    async fn restart(
        &self,
        id: JobExecutionId,
        retry: Option<StepExecutionId>,
        by: &Actor,
        trace: Option<&TraceParent>,
    ) -> Result<Launched, JobRefusal>;

    /// The execution that holds a quarantined or failed partition, for its retry.
    async fn execution_of_step(&self, id: StepExecutionId) -> StoreResult<Option<JobExecutionId>>;

    /// Asks a running execution to stop.
    async fn stop(&self, id: JobExecutionId, by: &Actor) -> Result<(), JobRefusal>;

    /// Gives an ended or stopping execution up for good.
    async fn abandon(&self, id: JobExecutionId, by: &Actor) -> Result<(), JobRefusal>;

    /// Takes the next step of an execution, if there is one to take. Idempotent; anybody may call
    /// it. A plan is used where the next step needs one, else ignored.
    async fn advance(&self, id: JobExecutionId, plan: Option<Plan>) -> StoreResult<Advance>;

    /// All running executions, oldest first.
    async fn running(&self) -> StoreResult<Vec<JobExecutionId>>;

    /// One execution.
    async fn execution(&self, id: JobExecutionId) -> StoreResult<Option<JobExecution>>;

    /// Every execution of a date, newest first.
    async fn executions_of(&self, job: Job, date: NaiveDate) -> StoreResult<Vec<JobExecution>>;

    /// The newest executions, or those before one; at most `limit`.
    async fn executions(
        &self,
        before: Option<JobExecutionId>,
        limit: u32,
    ) -> StoreResult<Vec<JobExecution>>;

    /// The step executions of an execution, in the order of their ids, at most `limit` after
    /// `after`.
    async fn steps(
        &self,
        id: JobExecutionId,
        after: Option<StepExecutionId>,
        limit: u32,
    ) -> StoreResult<Vec<StepExecution>>;

    /// The rows of an execution's steps without those of partitions, in the order of their ids.
    async fn own_steps(&self, id: JobExecutionId) -> StoreResult<Vec<StepExecution>>;

    /// Deletes the step executions, with their contexts, of the oldest job execution that ended
    /// before a time and that nothing will ever go on with: its instance is COMPLETED or ABANDONED.
    /// Instance, execution and parameters stay, for they say that the day is settled. Answers
    /// whether there was one.
    async fn prune_oldest(&self, ended_before: NaiveDateTime) -> StoreResult<bool>;
}
