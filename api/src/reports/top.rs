//! The JSON types of top lists.

use crate::{
    extract::date::Day,
    reports::periods::{ByPeriod, PeriodName, PeriodReports},
};
use balance_domain::period::PeriodKind;
use balance_service::reports::TopReport;
use balance_store::reports::TopVideo;
use chrono::NaiveDate;
use poem_openapi::{Object, Union, types::Example};

/// A video in a top list.
#[derive(Debug, Object)]
#[oai(
    rename = "TopItem",
    rename_all = "camelCase",
    deny_unknown_fields,
    example
)]
struct TopItemView {
    /// The rank, from 1 to 5. Videos with equal values are ordered by id.
    rank: u32,
    /// The id of the video.
    video_id: i64,
    /// The title of the video.
    title: String,
    /// The counted views.
    view_count: i64,
    /// The seconds watched.
    total_play_time: i64,
}

impl Example for TopItemView {
    fn example() -> Self {
        Self {
            rank: 1,
            video_id: 12,
            title: "How to fold a map".to_owned(),
            view_count: 1_024,
            total_play_time: 98_304,
        }
    }
}

impl From<(u32, &TopVideo)> for TopItemView {
    fn from((rank, video): (u32, &TopVideo)) -> Self {
        Self {
            rank,
            video_id: video.video_id.0,
            title: video.title.clone(),
            view_count: video.view_count,
            total_play_time: video.total_play_time,
        }
    }
}

/// The totals of a period over all videos, without revenue, which only owners may read.
#[derive(Debug, Object)]
#[oai(
    rename = "TopTotal",
    rename_all = "camelCase",
    deny_unknown_fields,
    example
)]
struct TopTotalView {
    /// The number of videos with activity.
    video_count: i64,
    /// The counted views.
    view_count: i64,
    /// The seconds watched.
    total_play_time: i64,
    /// The ad views.
    ad_view_count: i64,
}

impl Example for TopTotalView {
    fn example() -> Self {
        Self {
            video_count: 158,
            view_count: 20_480,
            total_play_time: 1_966_080,
            ad_view_count: 6_200,
        }
    }
}

/// The top list of one period.
#[derive(Debug, Object)]
#[oai(
    rename = "PeriodTop",
    rename_all = "camelCase",
    deny_unknown_fields,
    example
)]
pub struct TopView {
    /// The kind of the period.
    period: PeriodName,
    /// The first business day of the period.
    from: NaiveDate,
    /// The last business day of the period.
    to: NaiveDate,
    /// The last day up to which all days with plays are settled; null if there is none.
    settled_through: Option<NaiveDate>,
    /// The total of all videos.
    total: TopTotalView,
    /// The videos in order of rank; at most 5.
    items: Vec<TopItemView>,
    /// Always null, because there is only one page.
    next: Option<String>,
}

impl Example for TopView {
    fn example() -> Self {
        let Day(date) = Day::example();
        let period = PeriodKind::Week.containing(date);
        Self {
            period: period.kind.into(),
            from: period.from,
            to: period.to,
            settled_through: Some(date),
            total: TopTotalView::example(),
            items: vec![TopItemView::example()],
            next: None,
        }
    }
}

impl From<&TopReport> for TopView {
    fn from(report: &TopReport) -> Self {
        Self {
            period: report.period.kind.into(),
            from: report.period.from,
            to: report.period.to,
            settled_through: report.settled_through,
            total: TopTotalView {
                video_count: report.total.video_count,
                view_count: report.total.view_count,
                total_play_time: report.total.total_play_time,
                ad_view_count: report.total.ad_view_count,
            },
            items: (1..).zip(&report.items).map(Into::into).collect(),
            next: None,
        }
    }
}

/// The report of a single period, or reports by period.
#[derive(Debug, Union)]
#[oai(rename = "Top", one_of)]
pub enum TopResponse {
    One(TopView),
    Several(Box<ByPeriod<TopView>>),
}

impl From<PeriodReports<TopView>> for TopResponse {
    fn from(reports: PeriodReports<TopView>) -> Self {
        match reports {
            PeriodReports::One(one) => Self::One(one),
            PeriodReports::Several(several) => Self::Several(Box::new(several)),
        }
    }
}
