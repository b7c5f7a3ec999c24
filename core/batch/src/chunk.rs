//! Claims and chunks: who works a partition, and what one write transaction carries.

use crate::{
    execution::{JobExecutionId, JobInstanceId, StepExecutionId},
    job::StepName,
    partition::PartitionState,
    step::Counters,
    trace::TraceParent,
};
use chrono::{NaiveDate, NaiveDateTime};

/// The token of one claim. New for each claim, never a worker's name: a claim whose answer was
/// lost must not be kept alive by the worker's other ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimToken(pub i64);

/// A claimed step execution: a partition, or a tasklet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The claimed row.
    pub step_execution_id: StepExecutionId,
    /// Its execution.
    pub job_execution_id: JobExecutionId,
    /// Its instance.
    pub job_instance_id: JobInstanceId,
    /// The business day.
    pub date: NaiveDate,
    /// Which step or partition it is.
    pub name: StepName,
    /// This claim's token.
    pub token: ClaimToken,
    /// The row's version, raised by each write of the owner.
    pub version: i64,
    /// The range and the cursor; nothing for a tasklet.
    pub state: Option<PartitionState>,
    /// Where in a trace the execution was launched.
    pub trace: Option<TraceParent>,
    /// When the row was first claimed (UTC), for time limits.
    pub started_at: NaiveDateTime,
}

/// An item that was skipped, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedItem {
    /// The video.
    pub video_id: i64,
    /// What admins read.
    pub reason: String,
}

/// What a chunk's one write transaction records beside its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkCommit {
    /// The last id that is done with this chunk; `range.upto` ends the partition.
    pub cursor: i64,
    /// What the chunk adds to the counters; `commits` is added by the store.
    pub counters: Counters,
    /// Items skipped in this chunk.
    pub rejected: Vec<RejectedItem>,
}
