//! Events of the stream: their storage in the history, late and rejected events, suppressed counts.

mod dead_letters;
mod history;
mod identity;
mod suppressed;
mod types;

pub use dead_letters::{LateEvent, RejectedEvent};
pub use identity::StreamState;
pub use suppressed::{SuppressedCount, SuppressedShard};
pub use types::{
    Content, Entry, EntryId, EventKind, InvalidIdentity, MAX_SHARDS, PlaybackEvent, ShownAds,
    StreamIdentity, StreamLayout, WrittenEntries,
};
