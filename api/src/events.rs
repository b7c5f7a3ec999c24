//! The dead letters: late and rejected events, for admins.

use crate::{
    auth::user::Admin,
    errors::responses::{ErrorResponse, responses},
    extract::{
        cursor::{self, default_limit},
        date::{self, Day, moment},
    },
    openapi::tag::Tag,
};
use balance_domain::playback::EventId;
use balance_service::jobs::queries::Jobs;
use balance_store::events::{EntryId, LateEvent, RejectedEvent};
use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::{Object, OpenApi, param::Query, payload::Json, types::Example};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An event that was persisted after its day was closed. It counts for nothing.
#[derive(Debug, Object)]
#[oai(rename = "LateEvent", rename_all = "camelCase", example)]
struct LateEventView {
    /// The event's id.
    event_id: Uuid,
    /// The event's business day.
    date: NaiveDate,
    /// The video.
    video_id: i64,
    /// The viewer.
    user_id: i64,
    /// The time of the play or pause.
    occurred_at: Option<DateTime<Utc>>,
    /// Whether the event would have counted as a view.
    is_counted: bool,
    /// The seconds that would have counted as watched.
    play_time: i64,
    /// The time at which a worker read the event.
    received_at: DateTime<Utc>,
}

impl Example for LateEventView {
    fn example() -> Self {
        Self {
            event_id: Uuid::from_u128(0x0197_6f3e_4f00_7c3a_9b1d_2e4f_6a8c_0b1d),
            date: Day::example().0,
            video_id: 12,
            user_id: 7,
            occurred_at: Some(moment(-1)),
            is_counted: true,
            play_time: 0,
            received_at: moment(90),
        }
    }
}

impl From<LateEvent> for LateEventView {
    fn from(event: LateEvent) -> Self {
        Self {
            event_id: Uuid::from_bytes(event.id.0),
            date: event.date,
            video_id: event.video_id.0,
            user_id: event.user_id.0,
            occurred_at: DateTime::from_timestamp_micros(event.occurred_at_micros),
            is_counted: event.is_counted,
            play_time: event.play_time_s,
            received_at: event.received_at.and_utc(),
        }
    }
}

/// A page of late events, the newest first.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", example)]
struct LateEventPage {
    /// The suggested action for an operator.
    suggested_action: String,
    /// The events.
    items: Vec<LateEventView>,
    /// The cursor of the next page; null on the last page.
    next: Option<String>,
}

impl Example for LateEventPage {
    fn example() -> Self {
        Self {
            suggested_action: LATE_ACTION.to_owned(),
            items: vec![LateEventView::example()],
            next: None,
        }
    }
}

/// A stream entry that cannot be persisted.
#[derive(Debug, Object)]
#[oai(rename = "RejectedEvent", rename_all = "camelCase", example)]
struct RejectedEventView {
    /// The shard of the stream.
    shard: u16,
    /// The id of the entry in its shard.
    entry_id: String,
    /// The id of the event, if it can be read.
    event_id: Option<Uuid>,
    /// The first 1,000 characters of the entry.
    payload: String,
    /// The reason for the rejection.
    reason: String,
    /// The time of the rejection.
    rejected_at: DateTime<Utc>,
}

impl Example for RejectedEventView {
    fn example() -> Self {
        Self {
            shard: 0,
            entry_id: "1773586800000-0".to_owned(),
            event_id: None,
            payload: "hello".to_owned(),
            reason: "not an event of this program".to_owned(),
            rejected_at: moment(1),
        }
    }
}

impl From<RejectedEvent> for RejectedEventView {
    fn from(event: RejectedEvent) -> Self {
        Self {
            shard: event.id.shard,
            entry_id: format!("{}-{}", event.id.ms, event.id.sequence),
            event_id: event.event_id.map(|id| Uuid::from_bytes(id.0)),
            payload: event.payload,
            reason: event.reason,
            rejected_at: event.rejected_at.and_utc(),
        }
    }
}

/// A page of rejected events, by shard, the oldest first.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", example)]
struct RejectedEventPage {
    /// The suggested action for an operator.
    suggested_action: String,
    /// The rejected events.
    items: Vec<RejectedEventView>,
    /// The cursor of the next page; null on the last page.
    next: Option<String>,
}

impl Example for RejectedEventPage {
    fn example() -> Self {
        Self {
            suggested_action: REJECTED_ACTION.to_owned(),
            items: vec![RejectedEventView::example()],
            next: None,
        }
    }
}

const LATE_ACTION: &str = "Late events do not count, because their day is closed. If a creator is \
    owed revenue, pay it outside Balance. If there are many, check the clocks of the Redis servers \
    and whether a stream was restored from an older copy.";

const REJECTED_ACTION: &str = "See `reason` for each entry. If another program writes to the \
    stream, stop it. If a newer version of Balance wrote the entries, upgrade the workers.";

/// The position in the list of rejected events, as encoded in a cursor.
#[derive(Debug, Serialize, Deserialize)]
struct After {
    shard: u16,
    ms: i64,
    sequence: i64,
}

responses! {
    EventErrors: 401 403;
}

pub(crate) struct EventsApi {
    pub(crate) jobs: Jobs,
}

#[OpenApi(prefix_path = "/events", tag = "Tag::Operations")]
impl EventsApi {
    /// List late events
    ///
    /// Returns plays and pauses that were acknowledged but read from the stream after their day was
    /// closed, the newest first.
    #[oai(path = "/late", method = "get", operation_id = "listLateEvents")]
    async fn late(
        &self,
        _admin: Admin,
        /// Return only the events of this business day.
        date: Query<Option<Day>>,
        /// The `next` of the previous page.
        #[oai(validator(max_length = 2048))]
        cursor: Query<Option<String>>,
        /// The maximum number of events per page.
        #[oai(
            default = "default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
    ) -> Result<Json<LateEventPage>, ErrorResponse<EventErrors>> {
        let date = date
            .0
            .map(|Day(day)| date::check_business_day(day, "date"))
            .transpose()?;
        let before: Option<[u8; 16]> = cursor.0.as_deref().map(cursor::read).transpose()?;
        let page = self
            .jobs
            .late_events(date, before.map(EventId), limit.0)
            .await?;
        Ok(Json(LateEventPage {
            suggested_action: LATE_ACTION.to_owned(),
            items: page.items.into_iter().map(Into::into).collect(),
            next: page
                .next
                .map(|EventId(id)| cursor::write(&id))
                .transpose()?,
        }))
    }

    /// List rejected events
    ///
    /// Returns stream entries that cannot be persisted, by shard, the oldest first.
    #[oai(
        path = "/rejected",
        method = "get",
        operation_id = "listRejectedEvents"
    )]
    async fn rejected(
        &self,
        _admin: Admin,
        /// The `next` of the previous page.
        #[oai(validator(max_length = 2048))]
        cursor: Query<Option<String>>,
        /// The maximum number of events per page.
        #[oai(
            default = "default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
    ) -> Result<Json<RejectedEventPage>, ErrorResponse<EventErrors>> {
        let after: Option<After> = cursor.0.as_deref().map(cursor::read).transpose()?;
        let after = after.map(|after| EntryId {
            shard: after.shard,
            ms: after.ms,
            sequence: after.sequence,
        });
        let page = self.jobs.rejected_events(after, limit.0).await?;
        let next = page.next.map(|id| {
            cursor::write(&After {
                shard: id.shard,
                ms: id.ms,
                sequence: id.sequence,
            })
        });
        Ok(Json(RejectedEventPage {
            suggested_action: REJECTED_ACTION.to_owned(),
            items: page.items.into_iter().map(Into::into).collect(),
            next: next.transpose()?,
        }))
    }
}
