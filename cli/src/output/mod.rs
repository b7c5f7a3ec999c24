//! Results on standard output: tables, JSON and CSV.

mod imports;
mod jobs;
mod replay;
pub(crate) mod report;
mod rules;
pub(crate) mod verify;
mod workers;

pub(crate) use imports::{imports, imports_json};
pub(crate) use jobs::{execution, execution_json, execution_table, executions, executions_json};
pub(crate) use replay::{replayed, replayed_json, restored};
pub(crate) use rules::{play_rules, play_rules_json};
pub(crate) use workers::{workers, workers_json};

use balance_domain::rates::RateVersion;
use balance_store::reports::PeriodTotal;
use chrono::NaiveDate;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use indicatif::HumanCount;
use serde::Serialize;
use std::io::Write;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Json,
    Csv,
}

/// Prints a line of the result. A closed pipe is not an error.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Returns a text whose control characters are escaped. They could change what a terminal shows.
pub(crate) fn printable(text: &str) -> String {
    let is_control = |character: char| {
        character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match is_control(character) {
            true => printable.extend(character.escape_default()),
            false => printable.push(character),
        }
    }
    printable
}

/// Prints complete lines of the result.
pub(crate) fn text(text: &str) {
    let _ = write!(std::io::stdout(), "{text}");
}

/// Prints indented JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Formats a number with thousands separators.
fn count(number: i64) -> String {
    match u64::try_from(number) {
        Ok(number) => HumanCount(number).to_string(),
        Err(_) => number.to_string(),
    }
}

/// Tables have one line below the header and no borders.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Formats a number of days: `1 day`, `15 days`.
pub(crate) fn days(count: u64) -> String {
    match count {
        1 => "1 day".to_owned(),
        _ => format!("{} days", HumanCount(count)),
    }
}

/// Creates a table. Columns from the index `numbers` on are right-aligned.
fn table(header: &[&str], numbers: usize) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Prints the totals of a settled day on one line.
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

/// Prints all versions of the rates.
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
                tier.won(),
            ]);
        }
    }
    line(&table.to_string());
}
