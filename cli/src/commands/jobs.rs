//! `balance jobs`.

use crate::{args::Jobs, commands::watch, output, wiring::App};
use balance_batch::execution::{JobExecutionId, StepExecutionId};
use balance_service::jobs::queries;
use balance_store::{LockOutcome, jobs::JobError};
use chrono::NaiveDate;
use std::{process::ExitCode, sync::Arc};

pub(super) async fn run(app: &App, jobs: Jobs) -> anyhow::Result<ExitCode> {
    match jobs {
        Jobs::List { limit, after, json } => {
            let jobs = queries::Jobs::new(Arc::clone(&app.store));
            let page = jobs.executions(after.map(JobExecutionId), limit).await?;
            if json {
                output::json(&output::executions_json(page)?)?;
            } else {
                output::executions(&page.items);
                if let Some(next) = page.next {
                    output::line(&format!("more: --after {next}"));
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Jobs::Show { id, json } => show(app, JobExecutionId(id), json).await,
        Jobs::Launch { date } => launch(app, date).await,
        Jobs::Restart { id, no_work } => {
            rerun(app, Rerun::Restart(JobExecutionId(id)), no_work).await
        }
        Jobs::Retry { id, no_work } => rerun(app, Rerun::Retry(StepExecutionId(id)), no_work).await,
        Jobs::Stop { id } => stop(app, JobExecutionId(id)).await,
        Jobs::Abandon { id } => {
            let (launcher, _backend) = app.launcher();
            launcher.abandon(JobExecutionId(id)).await?;
            output::line(&format!(
                "execution {id} is ABANDONED; its date can be settled again"
            ));
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn show(app: &App, id: JobExecutionId, json: bool) -> anyhow::Result<ExitCode> {
    let execution = app
        .store
        .execution(id)
        .await?
        .ok_or(JobError::NoSuchExecution(id))?;
    let steps = watch::all_steps(app.store.as_ref(), id).await?;
    let owners = app.store.owners(id).await?;
    if json {
        output::json(&output::execution_json(execution, steps, &owners)?)?;
    } else {
        output::execution_table(&execution, &steps, &owners);
    }
    Ok(ExitCode::SUCCESS)
}

/// Launches a day for the workers, without waiting.
async fn launch(app: &App, date: Option<NaiveDate>) -> anyhow::Result<ExitCode> {
    let local_worker = app.local_worker(true).await?;
    let date = match date {
        Some(date) => date,
        None => local_worker.launcher.last_day_over()?,
    };
    let launched = local_worker.launcher.launch(date).await?;
    let verb = if launched.is_restart {
        "restarted"
    } else {
        "launched"
    };
    output::line(&format!("{verb} {date}: execution {}", launched.id));
    Ok(ExitCode::SUCCESS)
}

/// The execution to restart.
enum Rerun {
    Restart(JobExecutionId),
    /// The execution of a failed partition.
    Retry(StepExecutionId),
}

/// Restarts an execution and waits for its end.
async fn rerun(app: &App, rerun: Rerun, no_work: bool) -> anyhow::Result<ExitCode> {
    let local_worker = app.local_worker(no_work).await?;
    let launched = match rerun {
        Rerun::Restart(id) => local_worker.launcher.restart(id).await,
        Rerun::Retry(id) => local_worker.launcher.retry(id).await,
    };
    let result = match launched {
        Ok(launched) => watch::to_end(&local_worker, launched.id).await,
        Err(JobError::AlreadyRunning { execution, .. })
            if local_worker.orphaned.contains(&execution) =>
        {
            watch::take_over(&local_worker, execution).await?;
            watch::to_end(&local_worker, execution).await
        }
        Err(error) => Err(error.into()),
    };
    local_worker.stop().await;
    Ok(if result? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn stop(app: &App, id: JobExecutionId) -> anyhow::Result<ExitCode> {
    // With exclusive use, the claims of other processes expire here, so the stop is immediate.
    let (lock, outcome) = app.join().await?;
    if let Some(lock) = &lock {
        lock.share()?;
    }
    let (launcher, _backend) = app.launcher();
    launcher.stop(id).await?;
    let execution = app.store.execution(id).await?;
    let execution = execution.ok_or(JobError::NoSuchExecution(id))?;
    let status = execution.status;
    output::line(&match outcome {
        _ if execution.is_foreign => {
            format!("execution {id} is {status}; the program that launched it stops it")
        }
        LockOutcome::Exclusive => format!("execution {id} is {status}"),
        LockOutcome::Shared => {
            format!("execution {id} is {status}; it stops after the running chunks")
        }
    });
    Ok(ExitCode::SUCCESS)
}
