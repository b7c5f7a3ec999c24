//! The intake on the database: plays and pauses as they happen.

pub(crate) mod intake;
pub(crate) mod intake_reply;
pub(crate) mod types;

pub use types::{
    Act, IdempotencyKey, IntakeAnswer, IntakeRequest, IntakeRules, MAX_KEY, REFUSAL_DAYS,
    RefusalReason, VideoFacts,
};
