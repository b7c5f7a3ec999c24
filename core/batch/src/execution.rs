//! Job instances and their executions.

use crate::{
    job::Job,
    status::{BatchStatus, ExitCode},
};
use chrono::{NaiveDate, NaiveDateTime};
use std::fmt;

/// Defines the newtype of an id of the job tables.
macro_rules! batch_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

batch_id! {
    /// The id of a job instance: a job and its identifying parameters.
    JobInstanceId
}
batch_id! {
    /// The id of a job execution: one attempt at a job instance.
    JobExecutionId
}
batch_id! {
    /// The id of a step execution: a step's own row, or a partition's.
    StepExecutionId
}

/// A job execution as the tables hold it. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobExecution {
    /// Its id.
    pub id: JobExecutionId,
    /// The instance that it runs.
    pub instance_id: JobInstanceId,
    /// The job.
    pub job: Job,
    /// The business day that it settles.
    pub date: NaiveDate,
    /// The number of the instance of that date where it is not the first.
    pub run_id: Option<i64>,
    /// Where it stands.
    pub status: BatchStatus,
    /// Its outcome.
    pub exit_code: ExitCode,
    /// The cause of a failure, up to 2,500 characters.
    pub exit_message: String,
    /// When it was written down.
    pub create_time: NaiveDateTime,
    /// When it began.
    pub start_time: Option<NaiveDateTime>,
    /// When it ended.
    pub end_time: Option<NaiveDateTime>,
}

/// The longest exit message, in characters.
pub const MAX_EXIT_MESSAGE: usize = 2_500;

/// Cuts a message to what the tables hold.
#[must_use]
pub fn exit_message(message: &str) -> String {
    message.chars().take(MAX_EXIT_MESSAGE).collect()
}
