//! The intake: plays and pauses as they happen.

pub(crate) mod clock;
mod intake;
mod intake_reply;
pub(crate) mod timer;
mod types;

pub use clock::Clocks;
pub use types::{
    Command, IdempotencyKey, IntakeAnswer, IntakeRequest, IntakeRules, MAX_KEY, SUPPRESSED_DAYS,
    SuppressedReason, VideoFacts,
};
