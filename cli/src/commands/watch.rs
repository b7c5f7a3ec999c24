//! Waits for the end of an execution and prints its progress.

use crate::{output, progress, shutdown, wiring::LocalWorker};
use anyhow::bail;
use balance_batch::{
    execution::{JobExecution, JobExecutionId, StepExecutionId},
    status::BatchStatus,
    step::StepExecution,
};
use balance_store::{Store, jobs::JobError};
use chrono::NaiveDate;
use std::time::{Duration, Instant};

/// Interval between two reads of a running execution.
const POLL: Duration = Duration::from_millis(10);
/// Interval between two checks of what an execution can wait for.
const CHECK: Duration = Duration::from_secs(1);
/// Steps read per query.
const STEPS: u32 = 1_000;

/// Fails if an earlier day is unsettled: an execution of the date then waits in `closeDayStep`.
pub(super) async fn require_order(store: &Store, date: NaiveDate) -> anyhow::Result<()> {
    match store.first_unsettled_day().await? {
        Some(earlier) if earlier < date => Err(JobError::EarlierDayUnsettled { earlier }.into()),
        _ => Ok(()),
    }
}

/// Waits for the end of an execution and shows its progress. Fails if an earlier day is unsettled,
/// or if the process is asked to end.
pub(super) async fn until_ended(
    local_worker: &LocalWorker,
    id: JobExecutionId,
) -> anyhow::Result<JobExecution> {
    let store = local_worker.launcher.store.as_ref();
    let bar = progress::spinner("settling");
    let ended = async {
        let mut checked: Option<Instant> = None;
        loop {
            let Some(execution) = store.execution(id).await? else {
                bail!("execution {id} no longer exists");
            };
            if !execution.status.is_running() {
                return Ok(execution);
            }
            if checked.is_none_or(|at| at.elapsed() >= CHECK) {
                require_order(store, execution.date).await?;
                local_worker.report_missing_worker().await?;
                checked = Some(Instant::now());
            }
            if !bar.is_hidden() {
                bar.set_message(execution.date.to_string());
                bar.set_position(written(store, id).await?);
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let result = tokio::select! {
        result = ended => result,
        () = shutdown::requested() => Err(anyhow::anyhow!(
            "interrupted; another worker or the next `balance settle` continues execution {id}"
        )),
    };
    bar.finish_and_clear();
    result
}

/// Returns the number of videos written so far.
async fn written(store: &Store, id: JobExecutionId) -> anyhow::Result<u64> {
    let steps = store.steps(id, None, STEPS).await?;
    let written: i64 = steps
        .iter()
        .filter(|step| step.name.partition.is_some())
        .map(|step| step.counters.writes)
        .sum();
    Ok(u64::try_from(written).unwrap_or(0))
}

/// Returns all steps and partitions of an execution, in order.
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

/// Waits for the end of an execution and prints its steps. Returns whether it is COMPLETED.
pub(super) async fn to_end(local_worker: &LocalWorker, id: JobExecutionId) -> anyhow::Result<bool> {
    let execution = until_ended(local_worker, id).await?;
    let steps = all_steps(local_worker.launcher.store.as_ref(), id).await?;
    output::execution(&execution, &steps);
    Ok(execution.status == BatchStatus::Completed)
}

/// Continues an execution of a process that is no longer registered.
pub(super) async fn take_over(
    local_worker: &LocalWorker,
    id: JobExecutionId,
) -> anyhow::Result<()> {
    progress::line(&format!(
        "continuing execution {id} of a process that is no longer registered"
    ));
    local_worker.launcher.advance(id).await?;
    Ok(())
}
