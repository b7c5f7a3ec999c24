//! Reports: top lists and revenues.

use crate::output::{Format, count, json, line, table};
use balance_domain::period::Period;
use balance_service::reports::{RevenueReport, TopReport, revenue_csv, top_csv};
use balance_store::reports::{CreatorRevenue, PeriodTotal, TopBy};
use serde::Serialize;
use std::collections::BTreeMap;

/// Amounts are decimal strings: JSON numbers are no money.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RevenueJson {
    period: &'static str,
    from: String,
    to: String,
    settled_through: Option<String>,
    total: TotalJson,
    items: Vec<RevenueItemJson>,
    next: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TotalJson {
    video_count: i64,
    view_count: i64,
    total_play_time: i64,
    ad_view_count: i64,
    view_revenue: String,
    ad_revenue: String,
    total_revenue: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RevenueItemJson {
    video_id: i64,
    title: String,
    owner_id: i64,
    view_count: i64,
    ad_view_count: i64,
    view_revenue: String,
    ad_revenue: String,
    total_revenue: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TopJson {
    period: &'static str,
    from: String,
    to: String,
    settled_through: Option<String>,
    items: Vec<TopItemJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TopItemJson {
    rank: usize,
    video_id: i64,
    title: String,
    view_count: i64,
    total_play_time: i64,
}

fn total_json(total: &PeriodTotal) -> TotalJson {
    TotalJson {
        video_count: total.video_count,
        view_count: total.view_count,
        total_play_time: total.total_play_time,
        ad_view_count: total.ad_view_count,
        view_revenue: total.view_revenue.to_string(),
        ad_revenue: total.ad_revenue.to_string(),
        total_revenue: total.total_revenue.to_string(),
    }
}

fn revenue_json(report: &RevenueReport) -> RevenueJson {
    RevenueJson {
        period: report.period.kind.name(),
        from: report.period.from.to_string(),
        to: report.period.to.to_string(),
        settled_through: report.settled_through.map(|date| date.to_string()),
        total: total_json(&report.total),
        items: report
            .items
            .iter()
            .map(|item| RevenueItemJson {
                video_id: item.video_id.0,
                title: item.title.clone(),
                owner_id: item.owner_id.0,
                view_count: item.view_count,
                ad_view_count: item.ad_view_count,
                view_revenue: item.view_revenue.to_string(),
                ad_revenue: item.ad_revenue.to_string(),
                total_revenue: item.total_revenue.to_string(),
            })
            .collect(),
        next: report.next.map(|id| id.0),
    }
}

fn top_json(report: &TopReport) -> TopJson {
    TopJson {
        period: report.period.kind.name(),
        from: report.period.from.to_string(),
        to: report.period.to.to_string(),
        settled_through: report.settled_through.map(|date| date.to_string()),
        items: (1..)
            .zip(&report.items)
            .map(|(rank, item)| TopItemJson {
                rank,
                video_id: item.video_id.0,
                title: item.title.clone(),
                view_count: item.view_count,
                total_play_time: item.total_play_time,
            })
            .collect(),
    }
}

fn heading(what: &str, period: Period) -> String {
    format!("{what}, {} {} to {}", period.kind, period.from, period.to)
}

/// Revenue lists, one for each period. One alone is printed as it is, several keyed by period.
pub(crate) fn revenue(reports: &[RevenueReport], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => match reports {
            [one] => json(&revenue_json(one)),
            several => json(
                &several
                    .iter()
                    .map(|one| (one.period.kind.name(), revenue_json(one)))
                    .collect::<BTreeMap<_, _>>(),
            ),
        },
        Format::Csv => Ok(revenue_csv(reports, std::io::stdout())?),
        Format::Table => {
            for report in reports {
                revenue_table(report);
            }
            Ok(())
        }
    }
}

fn revenue_table(report: &RevenueReport) {
    total(report.period, &report.total);
    let header = [
        "video",
        "title",
        "owner",
        "views",
        "ad views",
        "view won",
        "ad won",
        "total won",
    ];
    let mut table = table(&header, 3);
    for item in &report.items {
        table.add_row([
            item.video_id.to_string(),
            item.title.clone(),
            item.owner_id.to_string(),
            count(item.view_count),
            count(item.ad_view_count),
            item.view_revenue.to_string(),
            item.ad_revenue.to_string(),
            item.total_revenue.to_string(),
        ]);
    }
    line(&table.to_string());
    if let Some(next) = report.next {
        line(&format!("more: --after {next}"));
    }
    settled_through(report.settled_through);
}

fn settled_through(date: Option<chrono::NaiveDate>) {
    line(&match date {
        Some(date) => format!("settled through {date}"),
        None => "no day is settled yet".to_owned(),
    });
}

/// Top lists. In JSON keyed by their order, then by period; one alone is printed as it is.
pub(crate) fn top(lists: &[(TopBy, TopReport)], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => top_lists_json(lists),
        Format::Csv => Ok(top_csv(lists, std::io::stdout())?),
        Format::Table => {
            for (by, report) in lists {
                top_table(*by, report);
            }
            Ok(())
        }
    }
}

fn top_lists_json(lists: &[(TopBy, TopReport)]) -> anyhow::Result<()> {
    if let [(_, one)] = lists {
        return json(&top_json(one));
    }
    let mut orders: BTreeMap<&str, BTreeMap<&str, TopJson>> = BTreeMap::new();
    for (by, report) in lists {
        orders
            .entry(by.name())
            .or_default()
            .insert(report.period.kind.name(), top_json(report));
    }
    if orders.len() == 1 {
        return json(&orders.into_values().next());
    }
    json(&orders)
}

fn top_table(by: TopBy, report: &TopReport) {
    let what = match by {
        TopBy::ViewCount => "top 5 by views",
        TopBy::PlayTime => "top 5 by play time",
    };
    line(&heading(what, report.period));
    let mut table = table(&["rank", "video", "title", "views", "seconds"], 3);
    for (rank, item) in (1..).zip(&report.items) {
        table.add_row([
            i64::to_string(&rank),
            item.video_id.to_string(),
            item.title.clone(),
            count(item.view_count),
            count(item.total_play_time),
        ]);
    }
    line(&table.to_string());
}

/// The creators that earned most.
pub(crate) fn creators(period: Period, creators: &[CreatorRevenue]) {
    line(&heading("best creators", period));
    let mut table = table(&["creator", "name", "videos", "views", "won"], 2);
    for creator in creators {
        table.add_row([
            creator.owner_id.to_string(),
            creator.username.clone(),
            count(creator.video_count),
            count(creator.view_count),
            creator.total_revenue.to_string(),
        ]);
    }
    line(&table.to_string());
}

/// A period's totals in one line.
pub(crate) fn total(period: Period, total: &PeriodTotal) {
    line(&format!(
        "{}: {} videos, {} views, {} s, {} ad views, {} + {} = {} won",
        heading("all", period),
        count(total.video_count),
        count(total.view_count),
        count(total.total_play_time),
        count(total.ad_view_count),
        total.view_revenue,
        total.ad_revenue,
        total.total_revenue,
    ));
}
