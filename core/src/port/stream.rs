//! The intake's stream of events, and what becomes of them: in the history, late or rejected.

use super::{error::StoreResult, intake::RefusalReason};
use crate::domain::{calendar::BusinessTimezone, playback::EventId, user::UserId, video::VideoId};
use async_trait::async_trait;
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
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
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

impl Happening {
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

/// Writes events down.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Writes a group of entries in one transaction: each event into the history of its instant's
    /// day, or, where that is closed and nothing holds it yet, among the late ones. Written again
    /// it changes nothing. `ad_interval_s` is the distance of two ad slots.
    async fn write_entries(
        &self,
        entries: &[Entry],
        timezone: BusinessTimezone,
        ad_interval_s: u32,
    ) -> StoreResult<Drained>;

    /// Keeps what was refused so far, in one transaction. A count that is there already only ever
    /// grows, so that the same counts, or older ones, change nothing.
    async fn keep_refusals(&self, counts: &[RefusalCount]) -> StoreResult<()>;
}

/// How much of a day was refused so far, of one video and for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalCount {
    /// The business day.
    pub date: NaiveDate,
    /// The video.
    pub video_id: VideoId,
    /// The reason.
    pub reason: RefusalReason,
    /// Plays or seconds, by the reason; 1 and up.
    pub count: i64,
}

/// Some of a shard's counts of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalPage {
    /// The counts; one may be on two pages.
    pub counts: Vec<RefusalCount>,
    /// What to ask for the next page with, if there is one.
    pub next: Option<u64>,
}

/// What a shard's stream still holds, written down or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retained {
    /// The shard.
    pub shard: u16,
    /// How many entries.
    pub entries: u64,
    /// The newest one.
    pub newest: EntryId,
}

/// Whether a shard holds everything of a day, and all of that is in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Nothing of the day can come any more, and nothing of it waits.
    Drained,
    /// The shard's own clock has not reached the day's end.
    NotOver,
    /// Entries wait to be written.
    Waiting,
}

/// The streams of the intake, as those see them who write them down.
#[async_trait]
pub trait EventStream: Send + Sync {
    /// The next entries for a consumer, at most `limit` of each shard: those that dead consumers
    /// left first. Waits a moment where there are none.
    async fn read(&self, consumer: &str, limit: u32) -> Result<Vec<Entry>, StreamError>;

    /// How many entries of each shard wait to be written down: those that nobody has read, and
    /// those that were read and not acknowledged.
    async fn waiting(&self) -> Result<Vec<u64>, StreamError>;

    /// Takes entries off the list of those that wait. Only after their commit.
    async fn acknowledge(&self, entries: &[EntryId]) -> Result<(), StreamError>;

    /// Seals a day, whose end is given in milliseconds since 1970, in every shard, and answers
    /// whether all of it has been written.
    async fn close(&self, day_end_ms: i64) -> Result<Closed, StreamError>;

    /// Drops entries older than an instant, in milliseconds since 1970; never one that is not
    /// written.
    async fn trim(&self, before_ms: i64) -> Result<(), StreamError>;

    /// What there is in each shard whose stream is not empty; also in shards beyond ours, where
    /// somebody has spread plays over more.
    async fn retained(&self) -> Result<Vec<Retained>, StreamError>;

    /// The oldest entries of the shard of `upto`, after one of them or from the first, up to and with
    /// `upto`, at most `limit`. Nobody else notices: nothing is delivered by it.
    async fn reread(
        &self,
        after: Option<EntryId>,
        upto: EntryId,
        limit: u32,
    ) -> Result<Vec<Entry>, StreamError>;

    /// The shards: 0 and up to, without, this one.
    fn shards(&self) -> u16;

    /// A page of what a shard has refused on a day: the first with cursor 0, some `limit` counts.
    /// Counts are kept for [`REFUSAL_DAYS`](super::intake::REFUSAL_DAYS).
    async fn refusals(
        &self,
        shard: u16,
        date: NaiveDate,
        cursor: u64,
        limit: u32,
    ) -> Result<RefusalPage, StreamError>;
}

/// The stream cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("the intake's stream is away: {0}")]
pub struct StreamError(pub String);
