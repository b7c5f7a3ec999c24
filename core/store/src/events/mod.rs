//! A fleet's events on their way into the history, and those that never reach it.

pub(crate) mod dead_letters;
pub(crate) mod history;
pub(crate) mod types;

pub use dead_letters::{LateEvent, RejectedEvent};
pub use types::{
    Content, Drained, Entry, EntryId, EventKind, MAX_SHARDS, PlaybackEvent, SuppressedCount,
};
