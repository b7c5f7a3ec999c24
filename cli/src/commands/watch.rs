//! Waiting for an execution, and showing what it does.

use crate::{
    app::{App, LocalWorker},
    output, progress, shutdown,
};
use anyhow::bail;
use balance_batch::{
    execution::{JobExecution, JobExecutionId, StepExecutionId},
    status::BatchStatus,
    step::StepExecution,
};
use balance_store::Store;
use std::{process::ExitCode, time::Duration};

/// How often a running execution is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// Steps read at a time.
const STEPS: u32 = 1_000;

/// Waits for an execution's end, or for the process to be asked to end; shows its partitions.
pub(super) async fn until_ended(store: &Store, id: JobExecutionId) -> anyhow::Result<JobExecution> {
    let bar = progress::spinner("settling");
    let ended = async {
        loop {
            let Some(execution) = store.execution(id).await? else {
                bail!("execution {id} is gone");
            };
            if !execution.status.is_running() {
                return Ok(execution);
            }
            if !bar.is_hidden() {
                bar.set_message(execution.date.to_string());
                bar.set_position(written(store, id).await?);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let result = tokio::select! {
        result = ended => result,
        () = shutdown::requested() => {
            Err(anyhow::anyhow!("asked to end; execution {id} goes on where it stands, by another worker or the next `balance settle`"))
        }
    };
    bar.finish_and_clear();
    result
}

/// Videos written so far, for the spinner.
async fn written(store: &Store, id: JobExecutionId) -> anyhow::Result<u64> {
    let steps = store.steps(id, None, STEPS).await?;
    let written: i64 = steps
        .iter()
        .filter(|step| step.name.partition.is_some())
        .map(|step| step.counters.writes)
        .sum();
    Ok(u64::try_from(written).unwrap_or(0))
}

/// All steps and partitions of an execution, in order.
pub(super) async fn all_steps(
    store: &Store,
    id: JobExecutionId,
) -> anyhow::Result<Vec<StepExecution>> {
    let mut all: Vec<StepExecution> = Vec::new();
    loop {
        let after: Option<StepExecutionId> = all.last().map(|step| step.id);
        let page = store.steps(id, after, STEPS).await?;
        let is_last = page.len() < usize::try_from(STEPS).unwrap_or(usize::MAX);
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// Waits for an execution that this process works on, shows its steps, and answers whether it is
/// COMPLETED.
pub(super) async fn to_the_end(app: &App, id: JobExecutionId) -> anyhow::Result<bool> {
    let execution = until_ended(app.store.as_ref(), id).await?;
    let steps = all_steps(app.store.as_ref(), id).await?;
    output::execution(&execution, &steps);
    Ok(execution.status == BatchStatus::Completed)
}

/// Goes on with an execution that a dead process left.
pub(super) async fn take_up(local_worker: &LocalWorker, id: JobExecutionId) -> anyhow::Result<()> {
    progress::line(&format!(
        "taking up execution {id}, which another process left"
    ));
    local_worker.launcher.advance(id).await?;
    Ok(())
}

/// Ends a crew; a chunk that does not finish in time is left to its lease, which is a failure.
pub(super) async fn stop(local_worker: LocalWorker) -> ExitCode {
    let Some(worker) = local_worker.worker else {
        return ExitCode::SUCCESS;
    };
    if worker.stop().await {
        return ExitCode::SUCCESS;
    }
    progress::line("running chunks did not finish within GRACE_S; their leases run out");
    ExitCode::FAILURE
}
