//! The JSON types of revenues. Amounts are decimal strings, because JSON numbers are inexact.

use crate::{
    extract::date::Day,
    reports::periods::{ByPeriod, PeriodName, PeriodReports},
};
use balance_domain::period::PeriodKind;
use balance_service::reports::RevenueReport;
use balance_store::reports::{PeriodTotal, RevenueItem};
use chrono::NaiveDate;
use poem_openapi::{Object, Union, types::Example};

/// The totals of a period.
#[derive(Debug, Object)]
#[oai(
    rename = "Total",
    rename_all = "camelCase",
    deny_unknown_fields,
    example
)]
struct TotalView {
    /// The number of videos with activity.
    #[oai(validator(minimum(value = "0")))]
    video_count: i64,
    /// The counted views.
    #[oai(validator(minimum(value = "0")))]
    view_count: i64,
    /// The seconds watched.
    #[oai(validator(minimum(value = "0")))]
    total_play_time: i64,
    /// The ad views.
    #[oai(validator(minimum(value = "0")))]
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

/// The revenue of a video in a period.
#[derive(Debug, Object)]
#[oai(
    rename = "RevenueItem",
    rename_all = "camelCase",
    deny_unknown_fields,
    example
)]
struct RevenueItemView {
    /// The id of the video.
    video_id: i64,
    /// The title of the video.
    title: String,
    /// The id of the video's owner.
    owner_id: i64,
    /// The counted views.
    view_count: i64,
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
pub struct RevenueView {
    /// The kind of the period.
    period: PeriodName,
    /// The first business day of the period.
    from: NaiveDate,
    /// The last business day of the period.
    to: NaiveDate,
    /// The last day up to which all days with plays are settled; null if there is none. If it is
    /// not before `to`, the report is final.
    settled_through: Option<NaiveDate>,
    /// The total of all pages.
    total: TotalView,
    /// The revenue by video, in the order of the video ids.
    items: Vec<RevenueItemView>,
    /// The cursor of the next page; null on the last page.
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
    /// Creates the view of a report. `next` is the cursor of the next page.
    #[must_use]
    pub fn of(report: &RevenueReport, next: Option<String>) -> Self {
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

/// The report of a single period, or reports by period.
#[derive(Debug, Union)]
#[oai(rename = "Revenue", one_of)]
pub enum RevenueResponse {
    One(RevenueView),
    Several(Box<ByPeriod<RevenueView>>),
}

impl From<PeriodReports<RevenueView>> for RevenueResponse {
    fn from(reports: PeriodReports<RevenueView>) -> Self {
        match reports {
            PeriodReports::One(one) => Self::One(one),
            PeriodReports::Several(several) => Self::Several(Box::new(several)),
        }
    }
}
