//! Claims on partitions: leases and the one write transaction of a chunk.

pub(crate) mod chunk;
pub(crate) mod lease;
pub(crate) mod repository;
pub(crate) mod types;

pub use types::{
    ChunkLimits, ChunkOutcome, ChunkOutput, ClaimError, Claimed, Ending, PeriodRow, Reloaded,
};
