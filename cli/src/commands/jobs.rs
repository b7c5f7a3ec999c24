//! `balance jobs`.

use crate::{app::App, args::Jobs, commands::watch, output};
use balance_batch::execution::{JobExecutionId, StepExecutionId};
use balance_store::{LockOutcome, jobs::JobError};
use chrono::NaiveDate;
use std::process::ExitCode;

pub(super) async fn run(app: &App, jobs: Jobs) -> anyhow::Result<ExitCode> {
    match jobs {
        Jobs::List { limit, json } => {
            let executions = app.store.executions(None, limit).await?;
            if json {
                output::json(&output::executions_json(&executions))?;
            } else {
                output::executions(&executions);
            }
            Ok(ExitCode::SUCCESS)
        }
        Jobs::Show { id, json } => show(app, JobExecutionId(id), json).await,
        Jobs::Launch { date } => launch(app, date).await,
        Jobs::Restart { id, no_work } => {
            work(app, Command::Restart(JobExecutionId(id)), no_work).await
        }
        Jobs::Retry { id, no_work } => {
            work(app, Command::Retry(StepExecutionId(id)), no_work).await
        }
        Jobs::Stop { id } => stop(app, JobExecutionId(id)).await,
        Jobs::Abandon { id } => {
            let (launcher, _backend) = app.launcher();
            launcher.abandon(JobExecutionId(id)).await?;
            output::line(&format!(
                "execution {id} is ABANDONED; its date can be settled anew"
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
        output::json(&output::execution_json(&execution, &steps, &owners))?;
    } else {
        output::execution_table(&execution, &steps, &owners);
    }
    Ok(ExitCode::SUCCESS)
}

enum Command {
    Restart(JobExecutionId),
    Retry(StepExecutionId),
}

/// Launches a day and leaves it to the workers.
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

/// Starts an execution again and works it to its end.
async fn work(app: &App, command: Command, no_work: bool) -> anyhow::Result<ExitCode> {
    let local_worker = app.local_worker(no_work).await?;
    let launched = match command {
        Command::Restart(id) => local_worker.launcher.restart(id).await,
        Command::Retry(id) => local_worker.launcher.retry(id).await,
    };
    let result = match launched {
        Ok(launched) => watch::to_the_end(app, launched.id).await,
        Err(JobError::AlreadyRunning { execution, .. })
            if local_worker.orphaned.contains(&execution) =>
        {
            watch::take_up(&local_worker, execution).await?;
            watch::to_the_end(app, execution).await
        }
        Err(error) => Err(error.into()),
    };
    watch::stop(local_worker).await;
    Ok(if result? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn stop(app: &App, id: JobExecutionId) -> anyhow::Result<ExitCode> {
    // Alone: whoever worked on it is dead, and what it held is free at once.
    let (lock, outcome) = app.join().await?;
    if let Some(lock) = &lock {
        lock.share()?;
    }
    let (launcher, _backend) = app.launcher();
    launcher.stop(id).await?;
    let status = app
        .store
        .execution(id)
        .await?
        .map_or_else(String::new, |execution| execution.status.to_string());
    output::line(&match outcome {
        LockOutcome::Exclusive => format!("execution {id} is {status}"),
        LockOutcome::Shared => {
            format!("execution {id} is {status}; chunks at work finish, then it stops")
        }
    });
    Ok(ExitCode::SUCCESS)
}
