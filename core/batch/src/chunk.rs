//! Claims and chunks: the owner of a partition, and the data of one write transaction.

use crate::{
    execution::{JobExecutionId, JobInstanceId, StepExecutionId},
    job::StepName,
    partition::PartitionState,
    step::Counters,
    trace::TraceParent,
};
use chrono::{NaiveDate, NaiveDateTime};

/// The token of one claim.
///
/// Each claim gets a new token, which is never the worker's name. If the reply to a claim is lost,
/// the worker's other claims must not extend its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimToken(pub i64);

/// A claimed step execution: a partition or a tasklet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub step_execution_id: StepExecutionId,
    pub job_execution_id: JobExecutionId,
    pub job_instance_id: JobInstanceId,
    /// The business day.
    pub date: NaiveDate,
    /// The step or partition.
    pub name: StepName,
    pub token: ClaimToken,
    /// The row's version. Each write of the owner increments it.
    pub version: i64,
    /// The range and the cursor; `None` for a tasklet.
    pub state: Option<PartitionState>,
    /// The span that launched the execution.
    pub trace: Option<TraceParent>,
    /// Time of the row's first claim (UTC). Time limits count from it.
    pub started_at: NaiveDateTime,
}

/// An item that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedItem {
    pub video_id: i64,
    /// The reason, as admins see it.
    pub reason: String,
}

/// The state that the write transaction of a chunk records with its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkCommit {
    /// The last id that this chunk completes; `range.upto` completes the partition.
    pub cursor: i64,
    /// The amounts that the chunk adds to the counters. The store adds `commits`.
    pub counters: Counters,
    /// Items skipped in this chunk.
    pub rejected: Vec<RejectedItem>,
}
