//! `balance settle`.

use crate::{
    args::Settle,
    commands::watch,
    output, progress,
    wiring::{App, LocalWorker},
};
use balance_batch::{execution::JobExecutionId, job::Job};
use balance_domain::period::PeriodKind;
use balance_store::{jobs::JobError, reports::PeriodTotal};
use chrono::NaiveDate;
use std::{process::ExitCode, time::Instant};

/// Days read per query.
const DAYS: u32 = 1_000;

pub(super) async fn run(app: &App, args: Settle) -> anyhow::Result<ExitCode> {
    let range = args.from.zip(args.to);
    if let Some((from, to)) = range
        && from > to
    {
        anyhow::bail!("--from {from} is after --to {to}");
    }
    // Read before the worker starts, because it can complete an orphaned execution at once.
    let was_settled = match args.date {
        Some(date) => app.store.is_settled(date).await?,
        None => false,
    };
    let local_worker = app.local_worker(args.no_work).await?;
    let settled = match args.date {
        Some(date) => day(app, &local_worker, date, was_settled)
            .await
            .map(|total| (total.is_some(), 1)),
        None => days(app, &local_worker, range).await,
    };
    local_worker.stop().await;
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

/// Settles in order every unsettled active day that is over, or those of a range. Stops at the
/// first day that does not complete. Returns whether all days are COMPLETED, and their number.
async fn days(
    app: &App,
    local_worker: &LocalWorker,
    range: Option<(NaiveDate, NaiveDate)>,
) -> anyhow::Result<(bool, u64)> {
    let began = Instant::now();
    let Some((mut after, last)) = bounds(app, local_worker, range).await? else {
        return Ok((true, 0));
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
            "{} of the range already settled",
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

/// Returns the day before the first day to settle and the last one; none if no day is unsettled.
async fn bounds(
    app: &App,
    local_worker: &LocalWorker,
    range: Option<(NaiveDate, NaiveDate)>,
) -> anyhow::Result<Option<(Option<NaiveDate>, NaiveDate)>> {
    let last_over = local_worker.launcher.last_day_over()?;
    if let Some((from, to)) = range {
        if to > last_over {
            return Err(JobError::DayNotOver {
                date: to,
                last_over,
            }
            .into());
        }
        return Ok(Some((from.pred_opt(), to)));
    }
    let first = app.store.first_unsettled_day().await?;
    let before = first.and_then(|first| first.pred_opt());
    Ok(before.map(|before| (Some(before), last_over)))
}

/// Settles one day and prints it. Returns its total if it is COMPLETED. `was_settled` is whether
/// the day was settled before this process started.
async fn day(
    app: &App,
    local_worker: &LocalWorker,
    date: NaiveDate,
    was_settled: bool,
) -> anyhow::Result<Option<PeriodTotal>> {
    let id = launch_or_join(local_worker, date, was_settled).await?;
    if !watch::to_end(local_worker, id).await? {
        return Ok(None);
    }
    let day = PeriodKind::Day.containing(date);
    let total = app.store.total(day, None).await?;
    output::day_total(date, &total);
    Ok(Some(total))
}

/// Launches a day. If an execution of the day is already running, returns that one instead; the
/// local worker then claims its partitions too.
async fn launch_or_join(
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
        Err(JobError::AlreadyRunning { execution, .. }) => {
            watch::require_order(&local_worker.launcher.store, date).await?;
            if local_worker.orphaned.contains(&execution) {
                watch::take_over(local_worker, execution).await?;
            } else {
                progress::line(&format!(
                    "joined execution {execution} of {date}, which was already running"
                ));
            }
            Ok(execution)
        }
        // The day was unsettled when this process started. Its worker or another process completed
        // it since.
        Err(JobError::AlreadyComplete { execution, .. }) if !was_settled => Ok(execution),
        Err(error) => Err(error.into()),
    }
}
