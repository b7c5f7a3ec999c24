//! Recorded imports of plays.

use crate::output::{json, line, printable, table};
use balance_service::listing::Listing;
use balance_store::import::{ImportId, PlayImport};
use chrono::{NaiveDate, NaiveDateTime, SecondsFormat};
use indicatif::HumanCount;
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageJson<'a> {
    items: Vec<ImportJson<'a>>,
    next: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImportJson<'a> {
    id: i64,
    files: &'a str,
    status: &'static str,
    ads: u32,
    first_date: Option<String>,
    last_date: Option<String>,
    plays: u64,
    ad_views: u64,
    started_at: String,
    ended_at: Option<String>,
}

impl<'a> From<&'a PlayImport> for ImportJson<'a> {
    fn from(import: &'a PlayImport) -> Self {
        Self {
            id: import.id.0,
            files: &import.name,
            status: import.status.name(),
            ads: import.ads,
            first_date: import.first_date.map(|date| date.to_string()),
            last_date: import.last_date.map(|date| date.to_string()),
            plays: import.plays,
            ad_views: import.ad_views,
            started_at: instant(import.started_at),
            ended_at: import.ended_at.map(instant),
        }
    }
}

fn instant(at: NaiveDateTime) -> String {
    at.and_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Prints a page of imports as JSON.
pub(crate) fn imports_json(page: &Listing<PlayImport, ImportId>) -> anyhow::Result<()> {
    json(&PageJson {
        items: page.items.iter().map(ImportJson::from).collect(),
        next: page.next.map(|id| id.0),
    })
}

/// Prints a page of imports as a table.
pub(crate) fn imports(page: &Listing<PlayImport, ImportId>) {
    let mut table = table(
        &[
            "import", "status", "started", "from", "to", "files", "ads", "plays", "ad views",
        ],
        6,
    );
    let date = |date: Option<NaiveDate>| date.map_or_else(String::new, |date| date.to_string());
    for import in &page.items {
        table.add_row([
            import.id.to_string(),
            import.status.name().to_owned(),
            import.started_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            date(import.first_date),
            date(import.last_date),
            printable(&import.name),
            import.ads.to_string(),
            HumanCount(import.plays).to_string(),
            HumanCount(import.ad_views).to_string(),
        ]);
    }
    line(&table.to_string());
    if let Some(next) = page.next {
        line(&format!("more: --after {next}"));
    }
}
