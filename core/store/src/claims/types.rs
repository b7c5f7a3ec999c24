//! Claims: who works a partition, and the one write transaction of a chunk.

use crate::StoreError;
use balance_batch::{chunk::Claim, execution::JobExecutionId, partition::PartitionStateError};
use balance_domain::{
    period::PeriodKind,
    settlement::{VideoRevenue, VideoStatistics},
    videos::VideoId,
};
use chrono::NaiveDate;

/// The outcome of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is ours.
    Ours(Box<Claim>),
    /// Somebody else has it, it has ended, or its execution is not STARTED.
    NotClaimable,
    /// The row cannot be worked and was failed on the spot: three crashes at one cursor, or a
    /// damaged context.
    Failed {
        /// The execution, to be advanced.
        job_execution_id: JobExecutionId,
        /// What was written down as the reason.
        reason: String,
    },
}

/// Why an owner's write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The row's version is another one: the lease was lost, or a reply.
    #[error("the claim is no longer ours")]
    Fenced,
    /// The store failed; nothing was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One video's week or month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodRow {
    /// Week or month.
    pub kind: PeriodKind,
    /// Its first day.
    pub start_date: NaiveDate,
    /// The video.
    pub video_id: VideoId,
    /// Counted views.
    pub view_count: i64,
    /// Seconds watched.
    pub total_play_time: i64,
    /// Ad views.
    pub ad_view_count: i64,
    /// Pay for views, in hundredths of a won.
    pub view_revenue: i64,
    /// Pay for ad views, in hundredths of a won.
    pub ad_revenue: i64,
    /// The sum of both, in hundredths of a won.
    pub total_revenue: i64,
}

/// The rows that a chunk writes. Written again they replace themselves: of statistics and revenue
/// all rows of the chunk's ids and day are replaced, of weeks and months those of the videos named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkOutput {
    /// Of the statistics step.
    Statistics(Vec<VideoStatistics>),
    /// Of the revenue step.
    Revenue(Vec<VideoRevenue>),
    /// Of the rollup step.
    Rollup(Vec<PeriodRow>),
}

impl ChunkOutput {
    /// The video of its first row.
    #[must_use]
    pub fn first_video(&self) -> Option<VideoId> {
        match self {
            Self::Statistics(rows) => rows.first().map(|row| row.video_id),
            Self::Revenue(rows) => rows.first().map(|row| row.video_id),
            Self::Rollup(rows) => rows.first().map(|row| row.video_id),
        }
    }

    /// The same step's output without rows.
    #[must_use]
    pub const fn without_rows(&self) -> Self {
        match self {
            Self::Statistics(_) => Self::Statistics(Vec::new()),
            Self::Revenue(_) => Self::Revenue(Vec::new()),
            Self::Rollup(_) => Self::Rollup(Vec::new()),
        }
    }
}

/// How an owner ends its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Done (a tasklet; a partition completes with its last chunk).
    Completed,
    /// Its execution is to stop.
    Stopped,
    /// With a cause.
    Failed(String),
}

/// What [`ClaimStore::commit_chunk`] left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkOutcome {
    /// There is more to do; the claim is good for the next chunk.
    Continues,
    /// That was the last chunk: the partition is COMPLETED.
    Completed,
    /// Nothing was written: the rejected items would exceed the skip limit.
    OverSkipLimit,
}

/// What an owner finds when it reads its row again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reloaded {
    /// Still ours: go on from here.
    Ours(Box<Claim>),
    /// Ended or somebody else's: drop it.
    Lost,
}

/// The settings that a chunk's transaction obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// The lease's length in seconds.
    pub lease_s: u32,
    /// How many items of a step, over all its partitions, may be skipped.
    pub skip_limit: u32,
}

/// What a damaged context is called in a partition's exit message.
impl From<PartitionStateError> for StoreError {
    fn from(error: PartitionStateError) -> Self {
        Self::Damaged(error.to_string())
    }
}
