//! The intake: plays and pauses as they happen.

pub(crate) mod clock;
mod intake;
mod intake_events;
mod intake_reply;
pub(crate) mod play_rules;
pub(crate) mod timer;
mod types;
mod viewer_budget;

pub use clock::Clocks;
pub use play_rules::{ActiveRules, RulesChange, RulesVersion, SetRulesError};
pub use types::{
    Command, IdempotencyKey, IntakeAnswer, IntakeRequest, Lifetimes, MAX_KEY, SUPPRESSED_DAYS,
    SuppressedReason, VideoFacts,
};
