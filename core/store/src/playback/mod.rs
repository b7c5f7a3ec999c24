//! The intake: plays and pauses as they happen.

mod intake;
mod intake_reply;
pub(crate) mod play_rules;
mod types;

pub use play_rules::{ActiveRules, RulesChange, RulesVersion, SetRulesError};
pub use types::{
    Command, IdempotencyKey, IntakeAnswer, IntakeRequest, Lifetimes, MAX_KEY, SUPPRESSED_DAYS,
    SuppressedReason, VideoFacts,
};
