//! Job executions: launching, advancing, stopping, restarting and reading them.

use crate::{StoreError, operations::Actor};
use balance_batch::{
    execution::{JobExecutionId, StepExecutionId},
    job::{Job, Step},
    partition::IdRange,
    status::BatchStatus,
};
use chrono::NaiveDate;

/// Why a job operation is refused. The names are Spring Batch's where it has one.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
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
