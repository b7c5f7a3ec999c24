//! Reports as CSV (RFC 4180), with the same columns in the API and the command line.

use crate::reports::{RevenueReport, TopReport, VideoReport};
use balance_domain::videos::VideoId;
use balance_store::reports::TopBy;
use std::io::{self, Write};

/// Makes a cell of a user's text. A spreadsheet would run a text that begins like a formula, so an
/// apostrophe is put before it.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@']) {
        return format!("'{text}");
    }
    text.to_owned()
}

/// Writes revenue lists, one row for each period and video. Amounts are decimals in won.
///
/// # Errors
/// If writing fails.
pub fn revenue_csv<'a>(
    reports: impl IntoIterator<Item = &'a RevenueReport>,
    to: impl Write,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record([
        "period",
        "from",
        "to",
        "video_id",
        "title",
        "owner_id",
        "view_count",
        "ad_view_count",
        "view_revenue",
        "ad_revenue",
        "total_revenue",
    ])?;
    for report in reports {
        for item in &report.items {
            csv.write_record([
                report.period.kind.name().to_owned(),
                report.period.from.to_string(),
                report.period.to.to_string(),
                item.video_id.to_string(),
                cell(&item.title),
                item.owner_id.to_string(),
                item.view_count.to_string(),
                item.ad_view_count.to_string(),
                item.view_revenue.to_string(),
                item.ad_revenue.to_string(),
                item.total_revenue.to_string(),
            ])?;
        }
    }
    csv.flush()
}

/// Writes top lists, one row for each order, period and rank.
///
/// # Errors
/// If writing fails.
pub fn top_csv<'a>(
    lists: impl IntoIterator<Item = &'a (TopBy, TopReport)>,
    to: impl Write,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record([
        "by",
        "period",
        "from",
        "to",
        "rank",
        "video_id",
        "title",
        "view_count",
        "total_play_time",
    ])?;
    for (by, report) in lists {
        for (rank, item) in (1..).zip(&report.items) {
            csv.write_record([
                by.name().to_owned(),
                report.period.kind.name().to_owned(),
                report.period.from.to_string(),
                report.period.to.to_string(),
                i64::to_string(&rank),
                item.video_id.to_string(),
                cell(&item.title),
                item.view_count.to_string(),
                item.total_play_time.to_string(),
            ])?;
        }
    }
    csv.flush()
}

/// Writes the days of a video, one row for each.
///
/// # Errors
/// If writing fails.
pub fn video_csv(id: VideoId, report: &VideoReport, to: impl Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record([
        "video_id",
        "date",
        "view_count",
        "total_play_time",
        "ad_view_count",
        "view_revenue",
        "ad_revenue",
        "total_revenue",
    ])?;
    for day in &report.days {
        csv.write_record([
            id.to_string(),
            day.date.to_string(),
            day.view_count.to_string(),
            day.total_play_time.to_string(),
            day.ad_view_count.to_string(),
            day.view_revenue.to_string(),
            day.ad_revenue.to_string(),
            day.total_revenue.to_string(),
        ])?;
    }
    csv.flush()
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_title_is_not_a_formula_in_a_spreadsheet() {
        for title in ["=HYPERLINK(1)", "+1", "-2+3", "@cmd"] {
            assert_eq!(cell(title), format!("'{title}"));
        }
        for title in ["a film", "1=1", "", "영화"] {
            assert_eq!(cell(title), title);
        }
    }
}
