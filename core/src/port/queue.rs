//! The queue: a doorbell. A ring says "look at this step execution" and nothing else; the truth is
//! in the job tables, so a lost or doubled ring costs latency only.

use crate::batch::execution::StepExecutionId;
use async_trait::async_trait;

/// The queue did not take a ring.
#[derive(Debug, thiserror::Error)]
#[error("the queue is away: {0}")]
pub struct QueueError(pub String);

/// Rings workers.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Asks some worker to look at a step execution. Loses nothing when it fails.
    async fn ring(&self, id: StepExecutionId) -> Result<(), QueueError>;
}
