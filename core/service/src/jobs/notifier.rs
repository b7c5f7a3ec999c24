//! The port that notifies workers of claimable work.
//!
//! A notification carries only the id of a step execution. The job tables hold the state, so a lost
//! or duplicate notification costs only latency.

use async_trait::async_trait;
use balance_batch::execution::StepExecutionId;

/// A notification that a worker received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// The id of a step execution that may be claimable.
    StepExecution(StepExecutionId),
    /// An unknown payload, truncated for the log.
    Foreign(String),
}

/// An error of the notification queue.
#[derive(Debug, thiserror::Error)]
pub enum NotifierError {
    /// The address is invalid or the server rejects the connection. Retries do not help.
    #[error("notification queue unusable: {0}")]
    Unusable(String),
    /// The server does not answer.
    #[error("notification queue unavailable: {0}")]
    Unavailable(String),
}

/// Notifies workers of claimable step executions.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Notifies workers of step executions. Never waits and never fails. If the queue is
    /// unavailable or already holds `window` notifications, the rest is dropped, and the workers'
    /// poll finds the work.
    fn notify(&self, ids: &[StepExecutionId], window: u32);

    /// Returns the number of notifications that wait in the queue.
    ///
    /// # Errors
    /// If the queue is unavailable or unusable.
    async fn waiting(&self) -> Result<u64, NotifierError>;

    /// Waits for a limited time until pending notifications have been sent or lost. Called before
    /// the process ends.
    async fn flush(&self);
}
