//! Step executions: the rows of steps and of their partitions.

use crate::{
    execution::{JobExecutionId, StepExecutionId},
    job::StepName,
    status::{BatchStatus, ExitCode},
};
use chrono::NaiveDateTime;
use std::ops::AddAssign;

/// Spring's eight counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Chunks written.
    pub commits: i64,
    /// Items read, rolled-back chunks included.
    pub reads: i64,
    /// Items that made no output.
    pub filters: i64,
    /// Items written.
    pub writes: i64,
    /// Items skipped while reading.
    pub read_skips: i64,
    /// Items skipped while writing.
    pub write_skips: i64,
    /// Items skipped while processing.
    pub process_skips: i64,
    /// Chunks rolled back.
    pub rollbacks: i64,
}

impl Counters {
    /// All items skipped.
    #[must_use]
    pub const fn skips(&self) -> i64 {
        self.read_skips + self.write_skips + self.process_skips
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.commits += other.commits;
        self.reads += other.reads;
        self.filters += other.filters;
        self.writes += other.writes;
        self.read_skips += other.read_skips;
        self.write_skips += other.write_skips;
        self.process_skips += other.process_skips;
        self.rollbacks += other.rollbacks;
    }
}

/// A step execution as the tables hold it. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepExecution {
    /// Its id.
    pub id: StepExecutionId,
    /// The execution that it belongs to.
    pub job_execution_id: JobExecutionId,
    /// Which step or partition it is.
    pub name: StepName,
    /// Raised by every change; the fencing token of the partition's owner.
    pub version: i64,
    /// Where it stands.
    pub status: BatchStatus,
    /// Its outcome.
    pub exit_code: ExitCode,
    /// The cause of a failure.
    pub exit_message: String,
    /// What it did.
    pub counters: Counters,
    /// When it was first claimed.
    pub start_time: Option<NaiveDateTime>,
    /// When it ended.
    pub end_time: Option<NaiveDateTime>,
}

/// How a step's own row ends: the sum of its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    /// The statuses together.
    pub status: BatchStatus,
    /// The severest exit code.
    pub exit_code: ExitCode,
    /// The causes, one a line.
    pub exit_message: String,
    /// The counters, summed.
    pub counters: Counters,
}

/// Aggregates the partitions of a run. None at all is a step with nothing to do: COMPLETED.
#[must_use]
pub fn aggregate<'a>(partitions: impl IntoIterator<Item = &'a StepExecution>) -> Aggregate {
    let mut all = Aggregate {
        status: BatchStatus::Completed,
        exit_code: ExitCode::COMPLETED,
        exit_message: String::new(),
        counters: Counters::default(),
    };
    for partition in partitions {
        all.status = all.status.and(partition.status);
        all.exit_code = all.exit_code.and(partition.exit_code.clone());
        all.counters += partition.counters;
        if partition.status != BatchStatus::Completed && !partition.exit_message.is_empty() {
            if !all.exit_message.is_empty() {
                all.exit_message.push('\n');
            }
            all.exit_message
                .push_str(&format!("{}: {}", partition.name, partition.exit_message));
        }
    }
    // One unsuccessful partition fails the step, whatever word it ended with; a stop stays one.
    if all.status > BatchStatus::Stopped {
        all.status = BatchStatus::Failed;
        all.exit_code = all.exit_code.and(ExitCode::FAILED);
    }
    all.exit_message = crate::execution::exit_message(&all.exit_message);
    all
}
