//! The port of the event stream: the events that the intake appended, and the suppressed counts.

use async_trait::async_trait;
use balance_domain::{
    accounts::UserId,
    videos::{AdId, VideoId},
};
use balance_store::{
    events::{Entry, EntryId, StreamIdentity, SuppressedCount, SuppressedShard},
    operations::HighestIds,
    playback::VideoFacts,
};
use chrono::NaiveDate;

/// A page of a shard's suppressed counts of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuppressedPage {
    /// The counts. A count may be on two pages.
    pub counts: Vec<SuppressedCount>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<u64>,
}

/// A stream of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    /// The stream of the layout by viewer.
    ByViewer,
    /// The stream of the layout by video. After the upgrade there is none.
    ByVideo,
    /// A stream of the layout by video after the upgrade. All its entries are persisted.
    Retired,
}

impl StreamKind {
    pub const ALL: [Self; 3] = [Self::Retired, Self::ByVideo, Self::ByViewer];
}

/// The entries that a stream retains, persisted or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retained {
    pub kind: StreamKind,
    pub shard: u16,
    /// The number of entries.
    pub entries: u64,
    /// The id of the newest entry.
    pub newest: EntryId,
}

/// What an entry states about a user, a video and ads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenIds {
    pub user_id: UserId,
    pub video_id: VideoId,
    /// The facts about the video, if the entry has them.
    pub video: Option<VideoFacts>,
    /// The ads that were shown.
    pub ads: Vec<AdId>,
}

impl SeenIds {
    /// Takes the ids into account for the highest ones.
    pub fn raise(&self, highest: &mut HighestIds) {
        highest.see(self.user_id, self.video_id);
        if let Some(video) = self.video {
            highest.see(video.owner_id, video.id);
        }
    }
}

/// The streams that a server holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The configured shards without a stream by viewer.
    pub missing: Vec<u16>,
    /// The configured shards with a stream by video.
    pub by_video: Vec<u16>,
    /// The configured shards whose stream by video was retired.
    pub retired: Vec<u16>,
    /// The identities of other databases whose streams were created on the server.
    pub others: Vec<StreamIdentity>,
}

impl Found {
    /// Returns whether the server has a stream of the layout by video, also a retired one.
    #[must_use]
    pub const fn has_by_video(&self) -> bool {
        !self.by_video.is_empty() || !self.retired.is_empty()
    }

    /// Returns whether a configured shard has no stream of any kind.
    #[must_use]
    pub fn is_any_lost(&self) -> bool {
        let has_none = |shard| !self.by_video.contains(shard) && !self.retired.contains(shard);
        self.missing.iter().any(has_none)
    }
}

/// The memory of the server of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// The bytes that count against the limit.
    pub used_bytes: u64,
    /// The limit; 0 if there is none. At the limit the server rejects plays.
    pub max_bytes: u64,
}

/// The result of renaming the streams of a version without identities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renamed {
    /// The server had none.
    None,
    /// All of them have the identity now.
    All,
    /// A stream of both names exists, which are given: nothing may be overwritten.
    Conflict(String),
}

/// The result of an attempt to retire the streams of the layout by video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retired {
    All,
    /// Some streams have entries that are not persisted.
    Waiting,
    /// A stream and its retired one both exist, which are given.
    Conflict(String),
}

/// The state of a day in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// No more events of the day can arrive, and all of them are persisted.
    Drained,
    /// The clock of the stream has not reached the end of the day.
    NotOver,
    /// Some entries are not persisted yet.
    Waiting,
    /// The clocks of the process and of the stream differ, or the stream is ahead of both.
    WrongClock,
}

/// The clock of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamClock {
    /// The clock of the stream's server, in microseconds since 1970 (UTC).
    pub now_micros: i64,
    /// The time of the last entry of all shards, in microseconds since 1970 (UTC).
    pub last_micros: i64,
}

/// The result of setting the stream back to the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamRepair {
    /// The last entry is not of the future.
    Right,
    /// The number of deleted entries of the future. Their events are in the database.
    Repaired(u64),
    /// Some entries are not persisted yet. Some shards may be repaired.
    Waiting,
    /// The clock of the stream's server differs from that of the process. It is given, in milliseconds
    /// since 1970 (UTC).
    WrongClock(i64),
}

/// The streams of the layout by video, of version 0.1, until an upgrade has moved all keys to the layout
/// by viewer.
#[async_trait]
pub trait StreamByVideo: Send + Sync {
    /// Creates the streams by video of the shards that have neither one nor a retired one, without
    /// entries.
    async fn create_by_video(&self) -> Result<(), StreamError>;

    /// Reads as [`EventStream::read`] does. A shard without a stream by video has no entries.
    async fn read_by_video(&self, consumer: &str, limit: u32) -> Result<Vec<Entry>, StreamError>;

    /// Acknowledges as [`EventStream::acknowledge`] does.
    async fn acknowledge_by_video(&self, entries: &[EntryId]) -> Result<(), StreamError>;

    /// Renames each stream whose entries are all persisted, so that older processes find none. Checks
    /// and renames a stream atomically.
    async fn retire(&self) -> Result<Retired, StreamError>;

    /// Moves the keys of the viewers to their shards. Must be called only after all streams are
    /// retired: no process writes to these keys then. May be repeated, and run by several processes.
    /// Returns the number of dropped replies: of two replies to one idempotency key of a user, the
    /// older stays.
    async fn move_keys(&self) -> Result<u64, StreamError>;
}

/// The event stream, as its readers see it. It consists of numbered shards.
#[async_trait]
pub trait EventStream: StreamByVideo {
    /// Returns the identity of the stream.
    fn identity(&self) -> &StreamIdentity;

    /// Returns which streams exist.
    async fn found(&self) -> Result<Found, StreamError>;

    /// Returns the name of the server among those that may receive the stream. The first call stores
    /// `candidate`.
    async fn origin(&self, candidate: &str) -> Result<String, StreamError>;

    /// Creates the streams of all shards that are missing, without entries. Their next entries are
    /// newer than those of retired streams.
    async fn create(&self) -> Result<(), StreamError>;

    /// Takes over the streams and sessions of a version without identities: renames their keys. They
    /// have the layout by video.
    async fn rename_unnamed(&self) -> Result<Renamed, StreamError>;

    /// Reads the next entries for a consumer, at most `limit` of each shard. Entries that dead
    /// consumers left come first. Waits a moment if the stream is empty.
    async fn read(&self, consumer: &str, limit: u32) -> Result<Vec<Entry>, StreamError>;

    /// Returns the number of entries of each shard that are not persisted: unread entries and read
    /// entries without an acknowledgement. Includes those of a stream by video with the same number.
    async fn waiting(&self) -> Result<Vec<u64>, StreamError>;

    /// Acknowledges entries. Must be called only after their commit.
    async fn acknowledge(&self, entries: &[EntryId]) -> Result<(), StreamError>;

    /// Seals a day in every shard and returns whether all of its events are persisted. `day_end_ms`
    /// and `now_ms`, the clock of the process, are in milliseconds since 1970.
    async fn close(&self, day_end_ms: i64, now_ms: i64) -> Result<Closed, StreamError>;

    /// Returns the clock of the stream.
    async fn clock(&self) -> Result<StreamClock, StreamError>;

    /// Sets every shard whose last entry is of the future back to the time. `now_ms` is the clock of
    /// the process, in milliseconds since 1970.
    async fn repair_clock(&self, now_ms: i64) -> Result<StreamRepair, StreamError>;

    /// Deletes persisted entries older than an instant, in milliseconds since 1970. Deletes a retired
    /// stream with its last entry.
    async fn trim(&self, before_ms: i64) -> Result<(), StreamError>;

    /// Returns the retained entries of each non-empty stream, including those of shards beyond the
    /// configured ones.
    async fn retained(&self) -> Result<Vec<Retained>, StreamError>;

    /// Reads at most `limit` entries of `retained`, oldest first. The range begins after `after`, or
    /// with the first entry, and ends with the newest of `retained`. Does not affect consumers.
    async fn reread(
        &self,
        retained: Retained,
        after: Option<EntryId>,
        limit: u32,
    ) -> Result<Vec<Entry>, StreamError>;

    /// Reads what retained entries state about users and videos, as [`reread`](Self::reread) reads the
    /// entries themselves. `None` stands for an entry that is no event.
    async fn reread_ids(
        &self,
        retained: Retained,
        after: Option<EntryId>,
        limit: u32,
    ) -> Result<Vec<(EntryId, Option<SeenIds>)>, StreamError>;

    /// Returns the number of configured shards.
    fn shards(&self) -> u16;

    /// Returns a page of about `limit` suppressed counts of a shard's day. The first page has
    /// cursor 0. Counts that are not saved are kept for
    /// [`SUPPRESSED_DAYS`](balance_store::playback::SUPPRESSED_DAYS).
    async fn suppressed(
        &self,
        shard: SuppressedShard,
        date: NaiveDate,
        cursor: u64,
        limit: u32,
    ) -> Result<SuppressedPage, StreamError>;

    /// Lets the suppressed counts of a shard's day expire in two days. Must be called only after all
    /// of them are in the database.
    async fn expire_suppressed(
        &self,
        shard: SuppressedShard,
        date: NaiveDate,
    ) -> Result<(), StreamError>;

    /// Returns the highest assigned ids that the intake has seen, or that were recorded.
    async fn highest_ids(&self) -> Result<HighestIds, StreamError>;

    /// Records assigned ids, if they are higher.
    async fn raise_highest_ids(&self, ids: HighestIds) -> Result<(), StreamError>;

    /// Returns how many bytes of the data of the last call are lost, because a replica that lagged has
    /// become the master since. Entries can be among them.
    async fn lost_bytes(&self) -> Result<u64, StreamError>;

    /// Returns the memory of the stream's server.
    async fn memory(&self) -> Result<Memory, StreamError>;
}

/// The stream is unavailable.
#[derive(Debug, thiserror::Error)]
#[error("event stream unavailable: {0}")]
pub struct StreamError(pub String);
