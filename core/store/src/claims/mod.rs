//! Claims on step executions: leases, fencing and the write transaction of a chunk.

mod chunk;
mod chunk_output;
mod claim;
mod earlier_run;
mod expiry;
mod fence;
pub(crate) mod lease;

pub use chunk::{ChunkLimits, ChunkOutcome, Ending};
pub use chunk_output::{ChunkOutput, PeriodRow};
pub use claim::Claimed;
pub use fence::ClaimError;
pub use lease::Reloaded;
