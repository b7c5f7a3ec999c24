//! Dead letters: late and rejected events.

use crate::{Store, StoreError, StoreResult, events::EntryId, sql::statement::params};
use balance_domain::{accounts::UserId, playback::EventId, videos::VideoId};
use chrono::{NaiveDate, NaiveDateTime};
use sqlx::AssertSqlSafe;

/// An event that arrived after its day was closed. It does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateEvent {
    pub id: EventId,
    /// The business day, which is closed.
    pub date: NaiveDate,
    pub video_id: VideoId,
    pub user_id: UserId,
    /// Microseconds since 1970 (UTC).
    pub occurred_at_micros: i64,
    /// Whether it would have counted as a view.
    pub is_counted: bool,
    /// The seconds that would have been credited.
    pub play_time_s: i64,
    /// The time of storage, in UTC.
    pub received_at: NaiveDateTime,
}

/// An entry of the event stream that cannot be stored in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedEvent {
    pub id: EntryId,
    /// The id of the event, if the entry contains one.
    pub event_id: Option<EventId>,
    /// The first 1,000 characters of the entry.
    pub payload: String,
    /// Why the entry was rejected.
    pub reason: String,
    /// The time of storage, in UTC.
    pub rejected_at: NaiveDateTime,
}

/// The greatest id.
const LAST: EventId = EventId([0xff; 16]);

#[derive(sqlx::FromRow)]
struct LateRow {
    event_id: Vec<u8>,
    date: NaiveDate,
    video_id: i64,
    user_id: i64,
    occurred_at_micros: i64,
    counted: i64,
    play_time: i64,
    received_at: NaiveDateTime,
}

#[derive(sqlx::FromRow)]
struct RejectedRow {
    shard: i64,
    entry_ms: i64,
    entry_sequence: i64,
    event_id: Option<Vec<u8>>,
    payload: String,
    reason: String,
    rejected_at: NaiveDateTime,
}

fn event_id(bytes: Vec<u8>) -> StoreResult<EventId> {
    let id = bytes.try_into().map(EventId);
    id.map_err(|_| StoreError::Damaged("an event id is not 16 bytes long".to_owned()))
}

impl TryFrom<LateRow> for LateEvent {
    type Error = StoreError;

    fn try_from(row: LateRow) -> StoreResult<Self> {
        Ok(Self {
            id: event_id(row.event_id)?,
            date: row.date,
            video_id: VideoId(row.video_id),
            user_id: UserId(row.user_id),
            occurred_at_micros: row.occurred_at_micros,
            is_counted: row.counted != 0,
            play_time_s: row.play_time,
            received_at: row.received_at,
        })
    }
}

impl TryFrom<RejectedRow> for RejectedEvent {
    type Error = StoreError;

    fn try_from(row: RejectedRow) -> StoreResult<Self> {
        let shard = u16::try_from(row.shard);
        Ok(Self {
            id: EntryId {
                shard: shard.map_err(|error| {
                    StoreError::Damaged(format!("invalid shard of a rejected event: {error}"))
                })?,
                ms: row.entry_ms,
                sequence: row.entry_sequence,
            },
            event_id: row.event_id.map(event_id).transpose()?,
            payload: row.payload,
            reason: row.reason,
            rejected_at: row.rejected_at,
        })
    }
}

impl Store {
    /// Returns at most `limit` late events, newest first: of a day or of all, before one or all.
    pub async fn late_events(
        &self,
        date: Option<NaiveDate>,
        before: Option<EventId>,
        limit: u32,
    ) -> StoreResult<Vec<LateEvent>> {
        let filter = match date {
            Some(_) => "date = ?",
            None => "? IS NULL",
        };
        let sql = format!(
            "SELECT event_id, date, video_id, user_id, occurred_at_micros, \
             CAST(counted AS SIGNED) AS counted, play_time, received_at FROM late_event \
             WHERE {filter} AND event_id < ? ORDER BY event_id DESC LIMIT ?"
        );
        let EventId(before) = before.unwrap_or(LAST);
        let mut tx = self.db.read().await?;
        let rows: Vec<LateRow> = tx
            .fetch_all(AssertSqlSafe(sql), &params![date, &before[..], limit])
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Returns at most `limit` rejected entries by shard, oldest first: all, or those after one.
    pub async fn rejected_events(
        &self,
        after: Option<EntryId>,
        limit: u32,
    ) -> StoreResult<Vec<RejectedEvent>> {
        let (shard, ms, sequence) =
            after.map_or((-1, 0, 0), |id| (i64::from(id.shard), id.ms, id.sequence));
        let mut tx = self.db.read().await?;
        // Not a comparison of row values: a server does not use the key for it. `shard` alone in
        // ORDER BY would be the CAST, which no key holds.
        let rows: Vec<RejectedRow> = tx
            .fetch_all(
                "SELECT CAST(shard AS SIGNED) AS shard, entry_ms, entry_sequence, event_id, payload, \
                 reason, rejected_at FROM rejected_event WHERE shard >= ? AND (shard > ? \
                 OR entry_ms > ? OR (entry_ms = ? AND entry_sequence > ?)) \
                 ORDER BY rejected_event.shard, entry_ms, entry_sequence LIMIT ?",
                &params![shard, shard, ms, ms, sequence, limit],
            )
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}
