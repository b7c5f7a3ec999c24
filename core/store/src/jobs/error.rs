//! Rejections of job operations.

use crate::{StoreError, sql::retry::Conflict};
use balance_batch::{
    execution::{JobExecutionId, StepExecutionId},
    job::Job,
    status::BatchStatus,
};
use chrono::NaiveDate;

/// Why a job operation was rejected. Each message begins with the name of Spring Batch's exception, if
/// there is one.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The date is settled.
    #[error("JobInstanceAlreadyComplete: {job} for {date} is settled (execution {execution})")]
    AlreadyComplete {
        job: Job,
        date: NaiveDate,
        /// The execution that settled the date.
        execution: JobExecutionId,
    },
    /// An execution of the date is running.
    #[error("JobExecutionAlreadyRunning: execution {execution} of {date} is {status}")]
    AlreadyRunning {
        date: NaiveDate,
        execution: JobExecutionId,
        status: BatchStatus,
    },
    /// An execution that another program launched is running.
    #[error(
        "JobExecutionAlreadyRunning: execution {execution} of {date} is {status}; another program \
         launched it: wait for its end, or stop it"
    )]
    ForeignRunning {
        date: NaiveDate,
        execution: JobExecutionId,
        status: BatchStatus,
    },
    /// The outcome of an earlier execution is unknown.
    #[error("JobRestart: execution {execution} is UNKNOWN; abandon it first")]
    Unknown { execution: JobExecutionId },
    /// The status of the execution does not allow a restart.
    #[error(
        "NotRestartable: execution {execution} is {status}; only STOPPED and FAILED ones restart"
    )]
    NotRestartable {
        execution: JobExecutionId,
        status: BatchStatus,
    },
    /// The status of the execution does not allow a stop.
    #[error("JobExecutionNotRunning: execution {execution} is {status}")]
    NotRunning {
        execution: JobExecutionId,
        status: BatchStatus,
    },
    /// The status of the execution does not allow to abandon it.
    #[error(
        "NotAbandonable: execution {execution} is {status}; only one that is STOPPING, STOPPED or \
         FAILED can be abandoned"
    )]
    NotAbandonable {
        execution: JobExecutionId,
        status: BatchStatus,
    },
    /// A newer execution of the same date exists.
    #[error("NotNewest: execution {newest} of {date} is newer than {execution}")]
    NotNewest {
        date: NaiveDate,
        /// The requested execution.
        execution: JobExecutionId,
        /// The newest execution of the date.
        newest: JobExecutionId,
    },
    #[error("NoSuchJobExecution: there is no execution {0}")]
    NoSuchExecution(JobExecutionId),
    #[error("NoSuchStepExecution: there is no step execution {0}")]
    NoSuchStep(StepExecutionId),
    /// The step execution cannot be retried.
    #[error("NotRetryable: step execution {id} {reason}")]
    NotRetryable {
        id: StepExecutionId,
        reason: &'static str,
    },
    /// The day has not ended.
    #[error("DayNotOver: {date} is not over; the last day that is over is {last_over}")]
    DayNotOver {
        date: NaiveDate,
        /// The last day that has ended.
        last_over: NaiveDate,
    },
    /// The date has an instance. The schedule launches only dates without one; an admin restarts
    /// stopped and failed executions.
    #[error("JobInstanceExists: execution {execution} of {date} is {status}")]
    InstanceExists {
        date: NaiveDate,
        /// The newest execution of the date.
        execution: JobExecutionId,
        /// The status of that execution.
        status: BatchStatus,
    },
    /// An earlier day must be settled first.
    #[error("EarlierDayUnsettled: {earlier} has plays and is not settled; days settle in order")]
    EarlierDayUnsettled { earlier: NaiveDate },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Conflict for JobError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}
