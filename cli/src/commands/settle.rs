//! `balance settle`.

use crate::{
    app::{App, LocalWorker},
    commands::watch,
    output, progress,
};
use balance_batch::{execution::JobExecutionId, job::Job};
use balance_domain::period::PeriodKind;
use balance_store::{jobs::JobError, reports::PeriodTotal};
use chrono::NaiveDate;
use std::{process::ExitCode, time::Instant};

/// Days looked up at a time.
const DAYS: u32 = 1_000;

pub(super) async fn run(
    app: &App,
    date: Option<NaiveDate>,
    range: Option<(NaiveDate, NaiveDate)>,
    no_work: bool,
) -> anyhow::Result<ExitCode> {
    if let Some((from, to)) = range
        && from > to
    {
        anyhow::bail!("--from {from} lies after --to {to}");
    }
    // Looked up before the worker starts: it may at once complete what a dead process left.
    let was_settled = match date {
        Some(date) => app.store.is_settled(date).await?,
        None => false,
    };
    let local_worker = app.local_worker(no_work).await?;
    let settled = match date {
        Some(date) => day(app, &local_worker, date, was_settled)
            .await
            .map(|total| (total.is_some(), 1)),
        None => days(app, &local_worker, range).await,
    };
    watch::stop(local_worker).await;
    let (is_complete, count) = settled?;
    if is_complete && count == 0 {
        output::line("nothing to settle");
    }
    Ok(if is_complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Settles every unsettled active day that is over, or those of a range, in order; stops at the
/// first that does not complete. Answers whether all did, and how many there were.
async fn days(
    app: &App,
    local_worker: &LocalWorker,
    range: Option<(NaiveDate, NaiveDate)>,
) -> anyhow::Result<(bool, u64)> {
    let began = Instant::now();
    let last_over = local_worker.launcher.last_day_over()?;
    let (mut after, last) = match range {
        Some((from, to)) => {
            if to > last_over {
                return Err(JobError::DayNotOver {
                    date: to,
                    last_over,
                }
                .into());
            }
            (from.pred_opt(), to)
        }
        None => {
            let first = app.store.first_unsettled_day().await?;
            match first.and_then(|first| first.pred_opt()) {
                Some(before) => (Some(before), last_over),
                None => return Ok((true, 0)),
            }
        }
    };
    let (mut count, mut views, mut settled_before) = (0, 0, 0_u64);
    loop {
        let active = app.store.active_days(after, DAYS).await?;
        for &date in active.iter().take_while(|date| **date <= last) {
            if app.store.is_settled(date).await? {
                settled_before += 1;
                continue;
            }
            let Some(total) = day(app, local_worker, date, false).await? else {
                return Ok((false, count));
            };
            count += 1;
            views += u64::try_from(total.view_count).unwrap_or(0);
        }
        after = active.last().copied();
        if after.is_none_or(|date| date > last) {
            break;
        }
    }
    if settled_before > 0 {
        output::line(&format!(
            "{} of the range settled before",
            output::days(settled_before)
        ));
    }
    if count > 0 {
        output::line(&format!(
            "settled {}: {}",
            output::days(count),
            progress::rate(views, "views", began.elapsed())
        ));
    }
    Ok((true, count))
}

/// Settles one day and shows it; answers its total if it is COMPLETED. `was_settled` says that it
/// was before this process could have a hand in it.
async fn day(
    app: &App,
    local_worker: &LocalWorker,
    date: NaiveDate,
    was_settled: bool,
) -> anyhow::Result<Option<PeriodTotal>> {
    let id = launch(local_worker, date, was_settled).await?;
    if !watch::to_the_end(app, id).await? {
        return Ok(None);
    }
    let day = PeriodKind::Day.containing(date);
    let total = app.store.total(day, None).await?;
    output::day_total(date, &total);
    Ok(Some(total))
}

/// Launches a day; takes up the execution of a process that died.
async fn launch(
    local_worker: &LocalWorker,
    date: NaiveDate,
    was_settled: bool,
) -> anyhow::Result<JobExecutionId> {
    match local_worker.launcher.launch(date).await {
        Ok(launched) => {
            let verb = if launched.is_restart {
                "restarted"
            } else {
                "launched"
            };
            tracing::info!(execution = launched.id.0, %date, "{} {verb}", Job::DayStatistics);
            Ok(launched.id)
        }
        Err(JobError::AlreadyRunning { execution, .. })
            if local_worker.orphaned.contains(&execution) =>
        {
            if let Some(earlier) = local_worker.launcher.store.first_unsettled_day().await?
                && earlier < date
            {
                return Err(JobError::EarlierDayUnsettled { earlier }.into());
            }
            watch::take_up(local_worker, execution).await?;
            Ok(execution)
        }
        // It was not complete a moment ago: a worker, this one or another process's, ended it.
        Err(JobError::AlreadyComplete { execution, .. }) if !was_settled => Ok(execution),
        Err(error) => Err(error.into()),
    }
}
