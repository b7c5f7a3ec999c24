//! Top lists as clients read them.

use crate::{
    extract::date::Day,
    reports::periods::{Asked, ByPeriod, PeriodName},
};
use balance_domain::period::PeriodKind;
use balance_service::reports::TopReport;
use balance_store::reports::TopVideo;
use chrono::NaiveDate;
use poem_openapi::{Object, Union, types::Example};

/// A place in a top list.
#[derive(Debug, Object)]
#[oai(
    rename = "TopItem",
    rename_all = "camelCase",
    deny_unknown_fields,
    example
)]
struct TopItemView {
    /// The place, from 1 to 5; ties go to the lower video id.
    rank: u32,
    /// The video.
    video_id: i64,
    /// Its title.
    title: String,
    /// Counted views.
    view_count: i64,
    /// Seconds watched.
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

/// What a period comes to over all videos, without pay: that is for its owners.
#[derive(Debug, Object)]
#[oai(
    rename = "TopTotal",
    rename_all = "camelCase",
    deny_unknown_fields,
    example
)]
struct TopTotalView {
    /// Videos with activity.
    video_count: i64,
    /// Counted views.
    view_count: i64,
    /// Seconds watched.
    total_play_time: i64,
    /// Ad views.
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
pub(crate) struct TopView {
    /// How long the period is.
    period: PeriodName,
    /// Its first business day.
    from: NaiveDate,
    /// Its last business day.
    to: NaiveDate,
    /// The last day up to which nothing with plays is unsettled; null before the first.
    settled_through: Option<NaiveDate>,
    /// Everything together, all videos included.
    total: TopTotalView,
    /// The places, first to last; at most 5.
    items: Vec<TopItemView>,
    /// There is never a next page: null.
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

/// One period as it is, where one was asked for; else one for each name.
#[derive(Debug, Union)]
#[oai(rename = "Top", one_of)]
pub(crate) enum TopAnswer {
    One(TopView),
    Several(Box<ByPeriod<TopView>>),
}

impl From<Asked<TopView>> for TopAnswer {
    fn from(asked: Asked<TopView>) -> Self {
        match asked {
            Asked::One(one) => Self::One(one),
            Asked::Several(several) => Self::Several(Box::new(several)),
        }
    }
}
