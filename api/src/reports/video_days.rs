//! The JSON types of a video's settled days.

use crate::extract::date::Day;
use balance_domain::{money::Money, videos::VideoId};
use balance_service::reports::VideoReport;
use balance_store::reports::VideoDay;
use chrono::NaiveDate;
use poem_openapi::{Object, types::Example};

/// The statistics of a video on a settled day.
#[derive(Debug, Object)]
#[oai(
    rename = "VideoDay",
    rename_all = "camelCase",
    deny_unknown_fields,
    example
)]
struct VideoDayView {
    /// The business day.
    date: NaiveDate,
    /// The counted views.
    view_count: i64,
    /// The seconds watched.
    total_play_time: i64,
    /// The ad views.
    ad_view_count: i64,
    /// The revenue from views in won: a decimal with two decimal places.
    #[oai(validator(pattern = r"^-?[0-9]+\.[0-9]{2}$"))]
    view_revenue: String,
    /// The revenue from ad views in won.
    #[oai(validator(pattern = r"^-?[0-9]+\.[0-9]{2}$"))]
    ad_revenue: String,
    /// The sum of both revenues in won.
    #[oai(validator(pattern = r"^-?[0-9]+\.[0-9]{2}$"))]
    total_revenue: String,
}

impl Example for VideoDayView {
    fn example() -> Self {
        Self {
            date: Day::example().0,
            view_count: 1_024,
            total_play_time: 98_304,
            ad_view_count: 310,
            view_revenue: "1024.00".to_owned(),
            ad_revenue: "3100.00".to_owned(),
            total_revenue: "4124.00".to_owned(),
        }
    }
}

impl From<&VideoDay> for VideoDayView {
    fn from(day: &VideoDay) -> Self {
        Self {
            date: day.date,
            view_count: day.view_count,
            total_play_time: day.total_play_time,
            ad_view_count: day.ad_view_count,
            view_revenue: day.view_revenue.to_string(),
            ad_revenue: day.ad_revenue.to_string(),
            total_revenue: day.total_revenue.to_string(),
        }
    }
}

/// The totals of a video's days.
#[derive(Debug, Object)]
#[oai(
    rename = "DaysTotal",
    rename_all = "camelCase",
    deny_unknown_fields,
    example
)]
struct DaysTotalView {
    /// The number of days with activity.
    day_count: u32,
    /// The counted views.
    view_count: i64,
    /// The seconds watched.
    total_play_time: i64,
    /// The ad views.
    ad_view_count: i64,
    /// The revenue from views in won: a decimal with two decimal places.
    #[oai(validator(pattern = r"^-?[0-9]+\.[0-9]{2}$"))]
    view_revenue: String,
    /// The revenue from ad views in won.
    #[oai(validator(pattern = r"^-?[0-9]+\.[0-9]{2}$"))]
    ad_revenue: String,
    /// The sum of both revenues in won.
    #[oai(validator(pattern = r"^-?[0-9]+\.[0-9]{2}$"))]
    total_revenue: String,
}

impl Example for DaysTotalView {
    fn example() -> Self {
        let day = VideoDayView::example();
        Self {
            day_count: 1,
            view_count: day.view_count,
            total_play_time: day.total_play_time,
            ad_view_count: day.ad_view_count,
            view_revenue: day.view_revenue,
            ad_revenue: day.ad_revenue,
            total_revenue: day.total_revenue,
        }
    }
}

/// The statistics of a video on settled days.
#[derive(Debug, Object)]
#[oai(
    rename = "VideoStatistics",
    rename_all = "camelCase",
    deny_unknown_fields,
    example
)]
pub(crate) struct VideoStatisticsView {
    /// The id of the video.
    video_id: i64,
    /// The first requested business day.
    from: NaiveDate,
    /// The last requested business day.
    to: NaiveDate,
    /// The last day up to which all days with plays are settled; null if there is none.
    settled_through: Option<NaiveDate>,
    /// The total of the days.
    total: DaysTotalView,
    /// The days with activity, in order.
    items: Vec<VideoDayView>,
}

impl Example for VideoStatisticsView {
    fn example() -> Self {
        let day = VideoDayView::example();
        Self {
            video_id: 12,
            from: day.date,
            to: day.date,
            settled_through: Some(day.date),
            total: DaysTotalView::example(),
            items: vec![day],
        }
    }
}

impl VideoStatisticsView {
    /// Creates the view of a video's days from one date to another.
    pub(crate) fn of(
        id: VideoId,
        (from, to): (NaiveDate, NaiveDate),
        report: &VideoReport,
    ) -> Self {
        let sum = |column: fn(&VideoDay) -> i64| {
            let values = report.days.iter().map(column);
            values.fold(0, i64::saturating_add)
        };
        let won = |column: fn(&VideoDay) -> i64| Money::from_hundredths(sum(column)).to_string();
        Self {
            video_id: id.0,
            from,
            to,
            settled_through: report.settled_through,
            total: DaysTotalView {
                day_count: u32::try_from(report.days.len()).unwrap_or(u32::MAX),
                view_count: sum(|day| day.view_count),
                total_play_time: sum(|day| day.total_play_time),
                ad_view_count: sum(|day| day.ad_view_count),
                view_revenue: won(|day| day.view_revenue.hundredths()),
                ad_revenue: won(|day| day.ad_revenue.hundredths()),
                total_revenue: won(|day| day.total_revenue.hundredths()),
            },
            items: report.days.iter().map(Into::into).collect(),
        }
    }
}
