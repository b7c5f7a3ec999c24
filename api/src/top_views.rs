//! Top lists as clients read them.

use crate::periods::{Asked, ByPeriod, PeriodName};
use balance_core::{port::reports::TopVideo, service::reports::TopReport};
use chrono::NaiveDate;
use poem_openapi::{Object, Union};

/// A place in a top list.
#[derive(Debug, Object)]
#[oai(rename = "TopItem", rename_all = "camelCase", deny_unknown_fields)]
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
#[oai(rename = "TopTotal", rename_all = "camelCase", deny_unknown_fields)]
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

/// The top list of one period.
#[derive(Debug, Object)]
#[oai(rename = "PeriodTop", rename_all = "camelCase", deny_unknown_fields)]
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
