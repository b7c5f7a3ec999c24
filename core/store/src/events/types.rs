//! The intake's stream of events, and what becomes of them: in the history, late or rejected.

use crate::playback::SuppressedReason;
use balance_domain::{accounts::UserId, playback::EventId, videos::VideoId};
use chrono::NaiveDate;

/// The most shards. Their number is stored at first start and never changes.
pub const MAX_SHARDS: u16 = 64;

/// An event as the intake wrote it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaybackEvent {
    /// Its key in the history.
    pub id: EventId,
    /// Who.
    pub user_id: UserId,
    /// What.
    pub video_id: VideoId,
    /// What happened.
    pub what: EventKind,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A play.
    Play {
        /// Whether it counts as a view.
        is_counted: bool,
    },
    /// A pause.
    Pause {
        /// Where the session stood before, in seconds.
        from_s: i64,
        /// Seconds that count, 0 and up.
        credited_s: i64,
        /// Seconds that the player reported, the credited ones and up.
        reported_s: i64,
    },
}

impl EventKind {
    /// Whether it shows ads, where ads are registered: a pause whose credited seconds passed a slot,
    /// of which there is one every `interval_s` seconds (1 and up).
    #[must_use]
    pub const fn passes_a_slot(&self, interval_s: i64) -> bool {
        match *self {
            Self::Play { .. } => false,
            Self::Pause {
                from_s, credited_s, ..
            } => from_s / interval_s != (from_s + credited_s) / interval_s,
        }
    }
}

/// An event's place: its shard's stream, and the id there, whose milliseconds are its instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    /// The shard, 0 and up.
    pub shard: u16,
    /// Milliseconds since 1970 (UTC).
    pub ms: i64,
    /// Tells the entries of a millisecond apart.
    pub sequence: i64,
}

/// An entry of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub id: EntryId,
    /// What it says.
    pub content: Content,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An event.
    Event(PlaybackEvent),
    /// The end of a day: nothing before it comes after it.
    Seal,
    /// Nothing of ours.
    Foreign {
        /// What it said.
        payload: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What became of a group of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drained {
    /// Events in the history now that were not before.
    pub new: u64,
    /// Events that were held already.
    pub known: u64,
    /// Events that came after their day was closed.
    pub late: u64,
    /// Entries that can never be written.
    pub rejected: u64,
}

impl Drained {
    /// Adds what became of another group.
    pub const fn add(&mut self, other: Self) {
        self.new += other.new;
        self.known += other.known;
        self.late += other.late;
        self.rejected += other.rejected;
    }
}

/// How much of a day was refused so far, of one video and for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuppressedCount {
    /// The business day.
    pub date: NaiveDate,
    /// The video.
    pub video_id: VideoId,
    /// The reason.
    pub reason: SuppressedReason,
    /// Plays or seconds, by the reason; 1 and up.
    pub count: i64,
}
