//! Reports of top lists and revenue.

use crate::output::{Format, count, json, line, table};
use balance_api::views::{
    self, NoJson, PeriodReports, RevenueResponse, RevenueView, TopResponse, TopView,
};
use balance_domain::period::Period;
use balance_service::reports::{RevenueReport, TopReport, revenue_csv, top_csv};
use balance_store::reports::{CreatorRevenue, PeriodTotal, TopBy};
use serde_json::Value;
use std::collections::BTreeMap;

/// Returns reports in the JSON of `GET /revenues`. `next` is a video ID for `--after`.
fn revenue_json(reports: &[RevenueReport]) -> Result<Value, NoJson> {
    let reports: PeriodReports<RevenueView> = reports
        .iter()
        .map(|report| {
            let next = report.next.map(|id| id.to_string());
            (report.period.kind, RevenueView::of(report, next))
        })
        .collect();
    views::to_json(&RevenueResponse::from(reports))
}

/// Returns top lists of one order in the JSON of `GET /top5/…`.
fn top_json<'a>(lists: impl Iterator<Item = &'a TopReport>) -> Result<Value, NoJson> {
    let reports: PeriodReports<TopView> = lists
        .map(|report| (report.period.kind, TopView::from(report)))
        .collect();
    views::to_json(&TopResponse::from(reports))
}

fn heading(title: &str, period: Period) -> String {
    format!("{title}, {} {} to {}", period.kind, period.from, period.to)
}

/// Prints revenue reports. In JSON, several reports are keyed by period.
pub(crate) fn revenue(reports: &[RevenueReport], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => json(&revenue_json(reports)?),
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

/// Prints top lists. In JSON, several lists are keyed by order and period.
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
    let mut orders: BTreeMap<&str, Value> = BTreeMap::new();
    for name in lists.iter().map(|(by, _)| by.name()) {
        let reports = lists.iter().filter(|(by, _)| by.name() == name);
        orders.insert(name, top_json(reports.map(|(_, report)| report))?);
    }
    if orders.len() == 1
        && let Some((_, only)) = orders.pop_first()
    {
        return json(&only);
    }
    json(&orders)
}

fn top_table(by: TopBy, report: &TopReport) {
    let title = match by {
        TopBy::ViewCount => "top 5 by views",
        TopBy::PlayTime => "top 5 by play time",
    };
    line(&heading(title, report.period));
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

/// Prints the creators with the highest revenue.
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

/// Prints the totals of a period on one line.
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
