//! The result of a verification.

use crate::{
    output::{days, line},
    progress,
};
use balance_service::verification::{Difference, Kind, Verified};
use indicatif::HumanCount;
use serde::Serialize;
use std::time::Duration;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerifiedJson {
    clean: bool,
    days: u64,
    settled_days: u64,
    videos: u64,
    period_rows: u64,
    executions: u64,
    pruned_executions: u64,
    foreign_step_executions: u64,
    differences: Vec<KindJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KindJson {
    kind: &'static str,
    total: u64,
    shown: Vec<DifferenceJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DifferenceJson {
    table: &'static str,
    key: String,
    column: &'static str,
    expected: String,
    found: String,
}

impl From<&Difference> for DifferenceJson {
    fn from(one: &Difference) -> Self {
        Self {
            table: one.table,
            key: one.key.clone(),
            column: one.column,
            expected: one.expected.clone(),
            found: one.found.clone(),
        }
    }
}

/// Returns the kinds with differences and the number of differences.
fn kinds(verified: &Verified) -> impl Iterator<Item = (Kind, u64)> {
    Kind::ALL
        .into_iter()
        .map(|kind| (kind, verified.findings.total(kind)))
        .filter(|(_, total)| *total > 0)
}

pub(crate) fn json(verified: &Verified) -> anyhow::Result<()> {
    crate::output::json(&VerifiedJson {
        clean: verified.findings.is_clean(),
        days: verified.days,
        settled_days: verified.settled_days,
        videos: verified.videos,
        period_rows: verified.period_rows,
        executions: verified.executions,
        pruned_executions: verified.pruned,
        foreign_step_executions: verified.foreign_steps,
        differences: kinds(verified)
            .map(|(kind, total)| KindJson {
                kind: kind.name(),
                total,
                shown: verified.findings.shown(kind).map(Into::into).collect(),
            })
            .collect(),
    })
}

/// Prints the verified numbers, then each kind of difference with the first differences.
pub(crate) fn text(verified: &Verified, took: Duration) {
    line(&format!(
        "verified {}, {} of them settled: {} video days, {} rows of weeks and months, \
         {} executions ({} pruned), in {}",
        days(verified.days),
        HumanCount(verified.settled_days),
        HumanCount(verified.videos),
        HumanCount(verified.period_rows),
        HumanCount(verified.executions),
        HumanCount(verified.pruned),
        progress::duration(took),
    ));
    if verified.foreign_steps > 0 {
        line(&format!(
            "written by another program: {} step executions; their counts were not compared, the \
             results were",
            HumanCount(verified.foreign_steps)
        ));
    }
    for (kind, total) in kinds(verified) {
        line(&format!(
            "{}: {} {}",
            kind.name(),
            HumanCount(total),
            if total == 1 {
                "difference"
            } else {
                "differences"
            }
        ));
        let mut shown = 0;
        for one in verified.findings.shown(kind) {
            shown += 1;
            line(&format!(
                "  {} ({}) {}: expected {}, found {}",
                one.table, one.key, one.column, one.expected, one.found
            ));
        }
        if total > shown {
            line(&format!("  and {} more", HumanCount(total - shown)));
        }
    }
    if verified.findings.is_clean() {
        line("no differences");
    }
}
