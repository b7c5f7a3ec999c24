//! The JSON types of what was counted and suppressed of a video.

use crate::extract::date::Day;
use balance_domain::videos::VideoId;
use balance_store::reports::{ReceivedDay, SuppressedCounts};
use chrono::NaiveDate;
use poem_openapi::{Object, types::Example};

/// The plays, seconds and ad views of a day that were not counted, by reason.
#[derive(Debug, Object)]
#[oai(rename = "SuppressedCounts", rename_all = "camelCase", example)]
struct SuppressedCountsView {
    /// The plays within the view window of a counted view.
    repeat: i64,
    /// The plays by the video's owner.
    own: i64,
    /// The plays beyond the viewer's limit of views.
    rate: i64,
    /// The reported seconds that the viewer's budget did not hold.
    capped: i64,
    /// The ad slots in credited seconds whose ad views the viewer's budget did not hold.
    ad_capped: i64,
}

impl Example for SuppressedCountsView {
    fn example() -> Self {
        Self {
            repeat: 40,
            own: 3,
            rate: 2,
            capped: 615,
            ad_capped: 1,
        }
    }
}

impl From<SuppressedCounts> for SuppressedCountsView {
    fn from(counts: SuppressedCounts) -> Self {
        Self {
            repeat: counts.repeat,
            own: counts.own,
            rate: counts.rate,
            capped: counts.capped_s,
            ad_capped: counts.ad_capped,
        }
    }
}

/// What was counted and suppressed of a video on a day.
#[derive(Debug, Object)]
#[oai(rename = "ReceivedDay", rename_all = "camelCase", example)]
struct ReceivedDayView {
    /// The business day.
    date: NaiveDate,
    /// The counted views.
    view_count: i64,
    /// The credited seconds.
    total_play_time: i64,
    /// The ad views.
    ad_view_count: i64,
    /// What was not counted.
    suppressed: SuppressedCountsView,
}

impl Example for ReceivedDayView {
    fn example() -> Self {
        Self {
            date: Day::example().0,
            view_count: 1_024,
            total_play_time: 98_304,
            ad_view_count: 310,
            suppressed: SuppressedCountsView::example(),
        }
    }
}

impl From<ReceivedDay> for ReceivedDayView {
    fn from(day: ReceivedDay) -> Self {
        Self {
            date: day.date,
            view_count: day.view_count,
            total_play_time: day.total_play_time,
            ad_view_count: day.ad_view_count,
            suppressed: day.suppressed.into(),
        }
    }
}

/// What was counted and suppressed of a video by day.
#[derive(Debug, Object)]
#[oai(rename = "VideoSuppressed", rename_all = "camelCase", example)]
pub(crate) struct VideoSuppressedView {
    /// The id of the video.
    video_id: i64,
    /// The first requested business day.
    from: NaiveDate,
    /// The last requested business day.
    to: NaiveDate,
    /// The days with plays or pauses, in order.
    items: Vec<ReceivedDayView>,
}

impl Example for VideoSuppressedView {
    fn example() -> Self {
        let day = ReceivedDayView::example();
        Self {
            video_id: 12,
            from: day.date,
            to: day.date,
            items: vec![day],
        }
    }
}

impl VideoSuppressedView {
    /// Creates the view of a video's days from one date to another.
    pub(crate) fn of(
        id: VideoId,
        (from, to): (NaiveDate, NaiveDate),
        days: Vec<ReceivedDay>,
    ) -> Self {
        Self {
            video_id: id.0,
            from,
            to,
            items: days.into_iter().map(Into::into).collect(),
        }
    }
}
