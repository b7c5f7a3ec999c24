//! Results, on standard output: tables for people, JSON and CSV for programs.

pub(crate) mod report;

pub(crate) mod verify;

mod jobs;

mod replay;

mod workers;

pub(crate) use jobs::{execution, execution_json, execution_table, executions, executions_json};
pub(crate) use replay::{replayed, replayed_json};
pub(crate) use workers::{workers, workers_json};

use balance_domain::rates::RateVersion;
use balance_store::reports::PeriodTotal;
use chrono::NaiveDate;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use indicatif::HumanCount;
use serde::Serialize;
use std::io::Write;

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Json,
    Csv,
}

/// A line of the result. A reader that has gone away is not an error of ours.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Lines of the result that end themselves.
pub(crate) fn text(text: &str) {
    let _ = write!(std::io::stdout(), "{text}");
}

/// JSON, indented.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A number of things, with commas.
fn count(number: i64) -> String {
    match u64::try_from(number) {
        Ok(number) => HumanCount(number).to_string(),
        Err(_) => number.to_string(),
    }
}

/// A line under the header and nothing else.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// `1 day`, `15 days`.
pub(crate) fn days(count: u64) -> String {
    match count {
        1 => "1 day".to_owned(),
        _ => format!("{} days", HumanCount(count)),
    }
}

/// A table with a header; columns from `numbers` on are aligned to the right.
fn table(header: &[&str], numbers: usize) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A settled day in one line.
pub(crate) fn day_total(date: NaiveDate, total: &PeriodTotal) {
    line(&format!(
        "{date}  {} videos, {} views, {} s, {} ad views, revenue {} + {} = {} won",
        count(total.video_count),
        count(total.view_count),
        count(total.total_play_time),
        count(total.ad_view_count),
        total.view_revenue,
        total.ad_revenue,
        total.total_revenue,
    ));
}

/// Millionths of a won as decimal won, without zeros at the end.
fn won(micro_won: i64) -> String {
    let text = format!("{}.{:06}", micro_won / 1_000_000, micro_won % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// All versions of the rates.
pub(crate) fn rates(versions: &[RateVersion]) {
    let mut table = table(
        &["effective from", "kind", "from count", "to count", "won"],
        2,
    );
    for version in versions {
        for (kind, tier) in version.tiers() {
            table.add_row([
                version.effective_from.to_string(),
                kind.to_string(),
                count(tier.from_count),
                tier.to_count.map_or_else(String::new, count),
                won(tier.micro_won),
            ]);
        }
    }
    line(&table.to_string());
}
