//! `balance report`.

use crate::{
    args::{By, Report, ReportArgs},
    output::{self, report as print},
    wiring::App,
};
use balance_domain::{period::PeriodKind, videos::VideoId};
use balance_service::reports::Reports;
use balance_store::reports::TopBy;
use std::{process::ExitCode, sync::Arc};

pub(super) async fn run(app: &App, report: Report) -> anyhow::Result<ExitCode> {
    let owner = report.owner();
    let reports = Reports::new(Arc::clone(&app.store));
    match report {
        Report::Top5 { common, by } => top(&reports, &common, by).await?,
        Report::Revenue {
            common,
            after,
            limit,
            ..
        } => {
            let mut list = Vec::new();
            for kind in kinds(&common) {
                let after = after.map(VideoId);
                list.push(
                    reports
                        .revenue(common.date, kind, owner, after, limit)
                        .await?,
                );
            }
            print::revenue(&list, format(&common))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn top(reports: &Reports, common: &ReportArgs, by: Option<By>) -> anyhow::Result<()> {
    let orders = match by {
        Some(By::ViewCount) => vec![TopBy::ViewCount],
        Some(By::PlayTime) => vec![TopBy::PlayTime],
        None => vec![TopBy::ViewCount, TopBy::PlayTime],
    };
    let mut lists = Vec::new();
    for by in orders {
        for kind in kinds(common) {
            let report = reports.top(common.date, kind, by).await?;
            lists.push((by, report));
        }
    }
    print::top(&lists, format(common))
}

fn kinds(common: &ReportArgs) -> Vec<PeriodKind> {
    match common.period {
        Some(kind) => vec![kind],
        None => PeriodKind::ALL.to_vec(),
    }
}

fn format(common: &ReportArgs) -> output::Format {
    match (common.json, common.csv) {
        (true, _) => output::Format::Json,
        (_, true) => output::Format::Csv,
        _ => output::Format::Table,
    }
}
