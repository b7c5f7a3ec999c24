//! The port of the intake, which accepts plays and pauses. One call decides about a request, counts
//! it and persists the answer. An acknowledged answer is never lost.

use async_trait::async_trait;
use balance_store::playback::{IntakeAnswer, IntakeRequest};

/// The reason why a request was not acknowledged. The request may have been persisted all the same.
/// A retry with the same idempotency key is safe.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The store of the intake does not answer in time.
    #[error("intake unavailable: {0}")]
    Unavailable(String),
    /// The store of the intake answers, but accepts no writes now. The reason names no address.
    #[error("intake not writable: {0}")]
    NotWritable(&'static str),
    /// Too many accepted events wait to be persisted.
    #[error("intake backlog full: {backlog} entries wait to be persisted")]
    Backlog {
        /// The number of waiting entries.
        backlog: u64,
    },
    /// The configuration of the intake's store is unsuitable.
    #[error("intake unusable: {0}")]
    Unusable(String),
}

/// Accepts plays and pauses.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Decides about a request and persists the answer, atomically. Events carry the time of the
    /// intake, which never goes back.
    ///
    /// # Errors
    /// If the intake is unavailable, unusable or has a full backlog.
    async fn accept(&self, request: IntakeRequest) -> Result<IntakeAnswer, IntakeError>;

    /// Checks that the intake can accept plays now.
    ///
    /// # Errors
    /// The reason why it cannot.
    async fn readiness(&self) -> Result<(), IntakeError>;
}
