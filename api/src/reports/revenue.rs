//! Revenues as clients read them. Amounts are decimal strings in won: JSON numbers are no money.

use crate::{
    extract::date::Day,
    reports::periods::{Asked, ByPeriod, PeriodName},
};
use balance_domain::period::PeriodKind;
use balance_service::reports::RevenueReport;
use balance_store::reports::{PeriodTotal, RevenueItem};
use chrono::NaiveDate;
use poem_openapi::{Object, Union, types::Example};

/// What videos come to together.
#[derive(Debug, Object)]
#[oai(
    rename = "Total",
    rename_all = "camelCase",
    deny_unknown_fields,
    example
)]
struct TotalView {
    /// Videos with activity.
    #[oai(validator(minimum(value = "0")))]
    video_count: i64,
    /// Counted views.
    #[oai(validator(minimum(value = "0")))]
    view_count: i64,
    /// Seconds watched.
    #[oai(validator(minimum(value = "0")))]
    total_play_time: i64,
    /// Ad views.
    #[oai(validator(minimum(value = "0")))]
    ad_view_count: i64,
    /// Pay for views, in won: a decimal of two places.
    #[oai(validator(pattern = r"^-?[0-9]+\.[0-9]{2}$"))]
    view_revenue: String,
    /// Pay for ad views.
    #[oai(validator(pattern = r"^-?[0-9]+\.[0-9]{2}$"))]
    ad_revenue: String,
    /// The sum of both.
    #[oai(validator(pattern = r"^-?[0-9]+\.[0-9]{2}$"))]
    total_revenue: String,
}

impl Example for TotalView {
    fn example() -> Self {
        let item = RevenueItemView::example();
        Self {
            video_count: 1,
            view_count: item.view_count,
            total_play_time: 98_304,
            ad_view_count: item.ad_view_count,
            view_revenue: item.view_revenue,
            ad_revenue: item.ad_revenue,
            total_revenue: item.total_revenue,
        }
    }
}

impl From<PeriodTotal> for TotalView {
    fn from(total: PeriodTotal) -> Self {
        Self {
            video_count: total.video_count,
            view_count: total.view_count,
            total_play_time: total.total_play_time,
            ad_view_count: total.ad_view_count,
            view_revenue: total.view_revenue.to_string(),
            ad_revenue: total.ad_revenue.to_string(),
            total_revenue: total.total_revenue.to_string(),
        }
    }
}

/// A video's pay in a period.
#[derive(Debug, Object)]
#[oai(
    rename = "RevenueItem",
    rename_all = "camelCase",
    deny_unknown_fields,
    example
)]
struct RevenueItemView {
    /// The video.
    video_id: i64,
    /// Its title.
    title: String,
    /// Its owner.
    owner_id: i64,
    /// Counted views.
    view_count: i64,
    /// Ad views.
    ad_view_count: i64,
    /// Pay for views, in won: a decimal of two places.
    #[oai(validator(pattern = r"^-?[0-9]+\.[0-9]{2}$"))]
    view_revenue: String,
    /// Pay for ad views.
    #[oai(validator(pattern = r"^-?[0-9]+\.[0-9]{2}$"))]
    ad_revenue: String,
    /// The sum of both.
    #[oai(validator(pattern = r"^-?[0-9]+\.[0-9]{2}$"))]
    total_revenue: String,
}

impl Example for RevenueItemView {
    fn example() -> Self {
        Self {
            video_id: 12,
            title: "How to fold a map".to_owned(),
            owner_id: 7,
            view_count: 1_024,
            ad_view_count: 310,
            view_revenue: "1024.00".to_owned(),
            ad_revenue: "3100.00".to_owned(),
            total_revenue: "4124.00".to_owned(),
        }
    }
}

impl From<&RevenueItem> for RevenueItemView {
    fn from(item: &RevenueItem) -> Self {
        Self {
            video_id: item.video_id.0,
            title: item.title.clone(),
            owner_id: item.owner_id.0,
            view_count: item.view_count,
            ad_view_count: item.ad_view_count,
            view_revenue: item.view_revenue.to_string(),
            ad_revenue: item.ad_revenue.to_string(),
            total_revenue: item.total_revenue.to_string(),
        }
    }
}

/// The revenue of one period.
#[derive(Debug, Object)]
#[oai(
    rename = "PeriodRevenue",
    rename_all = "camelCase",
    deny_unknown_fields,
    example
)]
pub(crate) struct RevenueView {
    /// How long the period is.
    period: PeriodName,
    /// Its first business day.
    from: NaiveDate,
    /// Its last business day.
    to: NaiveDate,
    /// The last day up to which nothing with plays is unsettled; null before the first. Where it is
    /// not before `to`, nothing of the period changes any more.
    settled_through: Option<NaiveDate>,
    /// Everything together, other pages included.
    total: TotalView,
    /// Pay by video, in the order of their ids.
    items: Vec<RevenueItemView>,
    /// The `cursor` of the next page; null on the last one.
    next: Option<String>,
}

impl Example for RevenueView {
    fn example() -> Self {
        let Day(date) = Day::example();
        let period = PeriodKind::Week.containing(date);
        Self {
            period: period.kind.into(),
            from: period.from,
            to: period.to,
            settled_through: Some(date),
            total: TotalView::example(),
            items: vec![RevenueItemView::example()],
            next: None,
        }
    }
}

impl RevenueView {
    /// A report as clients read it, with the cursor of its next page.
    pub(crate) fn of(report: &RevenueReport, next: Option<String>) -> Self {
        Self {
            period: report.period.kind.into(),
            from: report.period.from,
            to: report.period.to,
            settled_through: report.settled_through,
            total: report.total.into(),
            items: report.items.iter().map(Into::into).collect(),
            next,
        }
    }
}

/// One period as it is, where one was asked for; else one for each name.
#[derive(Debug, Union)]
#[oai(rename = "Revenue", one_of)]
pub(crate) enum RevenueAnswer {
    One(RevenueView),
    Several(Box<ByPeriod<RevenueView>>),
}

impl From<Asked<RevenueView>> for RevenueAnswer {
    fn from(asked: Asked<RevenueView>) -> Self {
        match asked {
            Asked::One(one) => Self::One(one),
            Asked::Several(several) => Self::Several(Box::new(several)),
        }
    }
}
