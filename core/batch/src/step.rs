//! Step executions: the rows of steps and partitions.

use crate::{
    execution::{JobExecutionId, StepExecutionId},
    job::StepName,
    status::{BatchStatus, ExitCode},
};
use chrono::NaiveDateTime;
use std::ops::AddAssign;

/// The eight counters of a step execution in Spring Batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Committed chunks.
    pub commits: i64,
    /// Items read, including those of rolled-back chunks.
    pub reads: i64,
    /// Items without output.
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
    /// Returns the total number of skipped items.
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

/// A step execution as stored in the job tables. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepExecution {
    pub id: StepExecutionId,
    pub job_execution_id: JobExecutionId,
    /// The step or partition.
    pub name: StepName,
    /// The row's version. Every change increments it; it is the fencing token of the owner.
    pub version: i64,
    pub status: BatchStatus,
    pub exit_code: ExitCode,
    /// The cause of a failure.
    pub exit_message: String,
    pub counters: Counters,
    /// Time of the first claim.
    pub start_time: Option<NaiveDateTime>,
    pub end_time: Option<NaiveDateTime>,
}

/// The result of a step's own row, aggregated from its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    /// The combined status.
    pub status: BatchStatus,
    /// The most severe exit code.
    pub exit_code: ExitCode,
    /// The causes of failures, one per line.
    pub exit_message: String,
    /// The sums of the counters.
    pub counters: Counters,
}

/// Aggregates the partitions of a step. Without partitions the result is COMPLETED.
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
    // An unsuccessful partition fails the step, regardless of its status. STOPPED is kept.
    if all.status > BatchStatus::Stopped {
        all.status = BatchStatus::Failed;
        all.exit_code = all.exit_code.and(ExitCode::FAILED);
    }
    all.exit_message = crate::execution::exit_message(&all.exit_message);
    all
}
