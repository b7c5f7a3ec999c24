//! An intake that does not work.

use async_trait::async_trait;
use balance_service::playback::intake::{Intake, IntakeError};
use balance_store::playback::{IntakeAnswer, IntakeRequest};

/// An intake that accepts no request.
#[derive(Debug, Clone, Copy)]
pub enum FakeIntake {
    /// Every call returns an error.
    Fails(fn() -> IntakeError),
    /// Every call blocks for ever.
    Hangs,
    /// A request panics; the readiness check blocks for ever.
    Panics,
}

#[async_trait]
impl Intake for FakeIntake {
    async fn accept(&self, _: IntakeRequest) -> Result<IntakeAnswer, IntakeError> {
        match self {
            Self::Fails(error) => Err(error()),
            Self::Hangs => std::future::pending().await,
            Self::Panics => panic!("on purpose"),
        }
    }

    async fn readiness(&self) -> Result<(), IntakeError> {
        match self {
            Self::Fails(error) => Err(error()),
            Self::Hangs | Self::Panics => std::future::pending().await,
        }
    }
}
