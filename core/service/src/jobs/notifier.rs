//! The queue: a doorbell. A ring says "look at this step execution" and nothing else; the truth is
//! in the job tables, so a lost or doubled ring costs latency only.

use async_trait::async_trait;
use balance_batch::execution::StepExecutionId;

/// The queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotifierError {
    /// Its address is none, or it refuses us: trying again will not help.
    #[error("the queue cannot be used: {0}")]
    Unusable(String),
    /// It is away.
    #[error("the queue is away: {0}")]
    Unavailable(String),
}

/// Rings workers.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Asks workers to look at step executions. Never waits and never fails: where the queue is
    /// away, or `window` rings wait in it already, the rest is dropped, and workers find the work
    /// by their poll.
    fn notify(&self, ids: &[StepExecutionId], window: u32);

    /// Rings that wait to be taken.
    async fn waiting(&self) -> Result<u64, NotifierError>;

    /// Waits until the rings on their way have arrived or are lost; bounded. For processes that
    /// are about to end.
    async fn flush(&self);
}
