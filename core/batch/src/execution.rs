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
    /// The id of a job instance: a job with its identifying parameters.
    JobInstanceId
}
batch_id! {
    /// The id of a job execution: one attempt at a job instance.
    JobExecutionId
}
batch_id! {
    /// The id of a step execution: the row of a step or of a partition.
    StepExecutionId
}

/// A job execution as stored in the job tables. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobExecution {
    pub id: JobExecutionId,
    pub instance_id: JobInstanceId,
    pub job: Job,
    /// The business day that the execution settles.
    pub date: NaiveDate,
    /// The number of the job instance, if it is not the first one of its day.
    pub run_id: Option<i64>,
    pub status: BatchStatus,
    pub exit_code: ExitCode,
    /// The cause of a failure, up to [`MAX_EXIT_MESSAGE`] characters.
    pub exit_message: String,
    pub create_time: NaiveDateTime,
    pub start_time: Option<NaiveDateTime>,
    pub end_time: Option<NaiveDateTime>,
    /// Whether another program launched it, such as Spring Batch. Balance never advances it.
    pub is_foreign: bool,
}

/// Maximum length of an exit message, in characters.
pub const MAX_EXIT_MESSAGE: usize = 2_500;

/// Truncates a message to [`MAX_EXIT_MESSAGE`] characters.
#[must_use]
pub fn exit_message(message: &str) -> String {
    message.chars().take(MAX_EXIT_MESSAGE).collect()
}
