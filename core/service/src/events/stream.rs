//! The event stream's port: the stream that the intake writes, as its reader sees it.

use async_trait::async_trait;
use balance_store::events::{Entry, EntryId, SuppressedCount};
use chrono::NaiveDate;

/// Some of a shard's counts of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuppressedPage {
    /// The counts; one may be on two pages.
    pub counts: Vec<SuppressedCount>,
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
    /// Counts are kept for [`SUPPRESSED_DAYS`](balance_store::playback::SUPPRESSED_DAYS).
    async fn suppressed(
        &self,
        shard: u16,
        date: NaiveDate,
        cursor: u64,
        limit: u32,
    ) -> Result<SuppressedPage, StreamError>;
}

/// The stream cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("the intake's stream is away: {0}")]
pub struct StreamError(pub String);
