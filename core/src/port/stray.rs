//! Events that the history did not take, as operators read them.

use super::{error::StoreResult, stream::EntryId};
use crate::domain::{playback::EventId, user::UserId, video::VideoId};
use async_trait::async_trait;
use chrono::{NaiveDate, NaiveDateTime};

/// An event that came after its day was closed. It counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateEvent {
    /// Its id.
    pub id: EventId,
    /// Its business day, a closed one.
    pub date: NaiveDate,
    /// What was watched.
    pub video_id: VideoId,
    /// Who watched.
    pub user_id: UserId,
    /// When it happened, in microseconds since 1970 (UTC).
    pub occurred_at_micros: i64,
    /// Whether it would have counted as a view.
    pub is_counted: bool,
    /// Seconds that would have counted as watched.
    pub play_time_s: i64,
    /// When it was read, in UTC.
    pub received_at: NaiveDateTime,
}

/// An entry of a stream that can never be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedEvent {
    /// Where it stood.
    pub id: EntryId,
    /// Its event's id, where it has one.
    pub event_id: Option<EventId>,
    /// What it said, at most 1,000 characters of it.
    pub payload: String,
    /// What is wrong with it.
    pub reason: String,
    /// When it was read, in UTC.
    pub rejected_at: NaiveDateTime,
}

/// Reads them.
#[async_trait]
pub trait StrayEventStore: Send + Sync {
    /// The newest late events, of a day or of all, or those before one; at most `limit`.
    async fn late_events(
        &self,
        date: Option<NaiveDate>,
        before: Option<EventId>,
        limit: u32,
    ) -> StoreResult<Vec<LateEvent>>;

    /// Rejected entries by shard, the oldest first, or those after one; at most `limit`.
    async fn rejected_events(
        &self,
        after: Option<EntryId>,
        limit: u32,
    ) -> StoreResult<Vec<RejectedEvent>>;
}
