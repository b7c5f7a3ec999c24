//! Events of the stream: their storage in the history, late and rejected events, suppressed counts.

mod dead_letters;
mod history;
mod suppressed;
mod types;

pub use dead_letters::{LateEvent, RejectedEvent};
pub use suppressed::SuppressedCount;
pub use types::{Content, Entry, EntryId, EventKind, MAX_SHARDS, PlaybackEvent, WrittenEntries};
