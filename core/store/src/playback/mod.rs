//! The intake on the database: plays and pauses as they happen.

pub(crate) mod intake;
pub(crate) mod intake_reply;
pub(crate) mod types;

pub use types::{
    Command, IdempotencyKey, IntakeAnswer, IntakeRequest, IntakeRules, MAX_KEY, SUPPRESSED_DAYS,
    SuppressedReason, VideoFacts,
};
