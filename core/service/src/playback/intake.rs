//! The intake's port: accepts plays and pauses as they happen. One call decides, counts and persists
//! what it answers; an acknowledged answer is never lost.

use async_trait::async_trait;
use balance_store::playback::{IntakeAnswer, IntakeRequest};

/// Why a request was not taken in. Nothing was acknowledged; whether it was written is not known,
/// unless it had a key and is sent again.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The intake's store is away, or too slow.
    #[error("the intake is away: {0}")]
    Unavailable(String),
    /// More is taken in than can be written down for good.
    #[error("the intake has more to write down than it may: {backlog}")]
    Backlog {
        /// Entries that wait.
        backlog: u64,
    },
    /// It cannot be used as it is set up.
    #[error("the intake cannot be used: {0}")]
    Unusable(String),
}

/// Takes in what happens.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Decides about a request, and writes down what it answers, in one step that nobody can come
    /// between. The time is the intake's own and never goes back.
    async fn accept(&self, request: IntakeRequest) -> Result<IntakeAnswer, IntakeError>;

    /// Whether plays can be taken in now, and why not.
    async fn readiness(&self) -> Result<(), IntakeError>;
}
