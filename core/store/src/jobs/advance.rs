//! Taking an execution's next step: insert the plan, aggregate a manager, start the next step, end
//! the job. Idempotent; the execution's row is locked first.

use crate::{
    Store, StoreResult,
    jobs::{
        Advance, Plan, rerun,
        rows::{self, NewStep},
    },
    reports::totals::{self, Totals},
    sql::{statement::params, tx::Tx},
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    job::{Step, StepName},
    partition::PartitionState,
    spring::context::{ExecutionContext, GRID_SIZE_KEY},
    status::{BatchStatus, ExitCode},
    step::{StepExecution, aggregate},
};
use chrono::NaiveDate;

pub(crate) async fn advance(
    store: &Store,
    id: JobExecutionId,
    plan: Option<Plan>,
) -> StoreResult<Advance> {
    if is_at_work(store, id).await? {
        return Ok(Advance::Waiting);
    }
    match attempt(store, id, plan, None).await? {
        Attempt::Advanced(advanced) => Ok(advanced),
        Attempt::NeedsTotals(date) => {
            // Made before any lock is held; thrown away if another was faster.
            let totals = totals::of_day(store, date).await?;
            match attempt(store, id, None, Some(&totals)).await? {
                Attempt::Advanced(advanced) => Ok(advanced),
                Attempt::NeedsTotals(_) => Ok(Advance::Waiting),
            }
        }
    }
}

/// How far an attempt got.
enum Attempt {
    Advanced(Advance),
    /// All steps of the day are done: the execution ends as soon as there are totals.
    NeedsTotals(NaiveDate),
}

async fn attempt(
    store: &Store,
    id: JobExecutionId,
    plan: Option<Plan>,
    totals: Option<&Totals>,
) -> StoreResult<Attempt> {
    let mut tx = store.db.write().await?;
    let lock = tx.for_update();
    let Some(execution) = rows::job(&mut tx, id, lock).await? else {
        return Ok(Attempt::Advanced(Advance::Waiting));
    };
    let advanced = match execution.status {
        BatchStatus::Starting | BatchStatus::Started => {
            take_step(&mut tx, &execution, plan).await?
        }
        BatchStatus::Stopping => stop(&mut tx, &execution).await?,
        _ => Advance::Waiting,
    };
    match advanced {
        Advance::Waiting | Advance::NeedsPlan { .. } => tx.rollback().await?,
        Advance::Ended(BatchStatus::Completed) => {
            let Some(totals) = totals else {
                tx.rollback().await?;
                return Ok(Attempt::NeedsTotals(execution.date));
            };
            totals::write(&mut tx, totals).await?;
            tx.commit().await?;
        }
        _ => tx.commit().await?,
    }
    Ok(Attempt::Advanced(advanced))
}

/// Whether an execution is STARTED and has unfinished partitions: then there is nothing to take,
/// and no lock to ask for. With many partitions this is nearly every call.
async fn is_at_work(store: &Store, id: JobExecutionId) -> StoreResult<bool> {
    let mut tx = store.db.read().await?;
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT 1 FROM BATCH_JOB_EXECUTION e JOIN step_lease l \
         ON l.job_execution_id = e.JOB_EXECUTION_ID \
         WHERE e.JOB_EXECUTION_ID = ? AND e.STATUS = 'STARTED' LIMIT 1",
            &params![id.0],
        )
        .await?;
    Ok(row.is_some())
}

async fn take_step(
    tx: &mut Tx,
    execution: &JobExecution,
    plan: Option<Plan>,
) -> StoreResult<Advance> {
    for &step in execution.job.steps() {
        let Some(own) = own_row(tx, execution.id, step).await? else {
            if completed_before(tx, execution, step).await? {
                continue;
            }
            return begin(tx, execution, step, plan).await;
        };
        match own.status {
            BatchStatus::Completed => {}
            BatchStatus::Starting | BatchStatus::Started | BatchStatus::Stopping => {
                if has_leases(tx, execution.id).await? || !step.is_partitioned() {
                    return Ok(Advance::Waiting);
                }
                let ended = end_manager(tx, &own).await?;
                if ended.status != BatchStatus::Completed {
                    return end(tx, execution, ended.status, &ended.exit_message).await;
                }
                return Ok(Advance::StepEnded);
            }
            status => return end(tx, execution, status, &own.exit_message).await,
        }
    }
    end(tx, execution, BatchStatus::Completed, "").await
}

/// The step's own row in this execution: the manager, or the tasklet.
async fn own_row(
    tx: &mut Tx,
    id: JobExecutionId,
    step: Step,
) -> StoreResult<Option<StepExecution>> {
    Ok(rows::steps_named(tx, id, step.name()).await?.pop())
}

/// Whether an earlier execution of the instance completed the step.
async fn completed_before(tx: &mut Tx, execution: &JobExecution, step: Step) -> StoreResult<bool> {
    let newest = rows::newest_steps(tx, execution.instance_id, step.name()).await?;
    Ok(newest
        .iter()
        .any(|row| row.status == BatchStatus::Completed))
}

async fn has_leases(tx: &mut Tx, id: JobExecutionId) -> StoreResult<bool> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT 1 FROM step_lease WHERE job_execution_id = ? LIMIT 1",
            &params![id.0],
        )
        .await?;
    Ok(row.is_some())
}

async fn begin(
    tx: &mut Tx,
    execution: &JobExecution,
    step: Step,
    plan: Option<Plan>,
) -> StoreResult<Advance> {
    let rows = match step.worker_name() {
        None => vec![claimable(StepName::of_step(step), ExecutionContext::new())],
        Some(worker) => {
            let pattern = format!("{worker}:partition%");
            let earlier = rows::newest_steps(tx, execution.instance_id, &pattern).await?;
            match (earlier.is_empty(), plan) {
                (false, _) => rerun::partitions(tx, step, &earlier).await?,
                (true, Some(plan)) if plan.step == step => partitions(&plan),
                (true, _) => {
                    return Ok(Advance::NeedsPlan {
                        step,
                        date: execution.date,
                    });
                }
            }
        }
    };
    if execution.status == BatchStatus::Starting {
        let code = &execution.exit_code;
        rows::set_job_status(tx, execution.id, BatchStatus::Started, code, "").await?;
    }
    let ids = rows::insert_steps(tx, execution.id, &rows).await?;
    rerun::keep_quarantine(tx, &ids, &rows).await?;
    let claimable = ids
        .iter()
        .zip(&rows)
        .filter(|(_, row)| row.is_claimable)
        .map(|(id, _)| *id);
    Ok(Advance::Started(claimable.collect()))
}

pub(crate) fn claimable(name: StepName, context: ExecutionContext) -> NewStep {
    NewStep {
        name,
        status: BatchStatus::Starting,
        exit_code: ExitCode::EXECUTING,
        exit_message: String::new(),
        context,
        is_claimable: true,
    }
}

pub(crate) fn manager(step: Step, grid_size: usize) -> NewStep {
    let mut context = ExecutionContext::new();
    context.put_long(GRID_SIZE_KEY, i64::try_from(grid_size).unwrap_or(i64::MAX));
    NewStep {
        status: BatchStatus::Started,
        is_claimable: false,
        ..claimable(StepName::of_step(step), context)
    }
}

/// The manager and the partitions of a new plan.
fn partitions(plan: &Plan) -> Vec<NewStep> {
    let mut rows = vec![manager(plan.step, plan.ranges.len())];
    rows.extend((0..).zip(&plan.ranges).map(|(number, range)| {
        let context = PartitionState::new(*range).to_context();
        claimable(StepName::of_partition(plan.step, number), context)
    }));
    rows
}

/// Ends a manager whose partitions have all ended, with their sum.
pub(crate) async fn end_manager(
    tx: &mut Tx,
    manager: &StepExecution,
) -> StoreResult<StepExecution> {
    let worker = manager.name.step.worker_name().unwrap_or_default();
    let pattern = format!("{worker}:partition%");
    let partitions = rows::steps_named(tx, manager.job_execution_id, &pattern).await?;
    let all = aggregate(&partitions);
    let now = tx.now();
    tx.execute(
        "UPDATE BATCH_STEP_EXECUTION SET VERSION = VERSION + 1, STATUS = ?, EXIT_CODE = ?, \
         EXIT_MESSAGE = ?, END_TIME = ?, LAST_UPDATED = ?, COMMIT_COUNT = ?, READ_COUNT = ?, \
         FILTER_COUNT = ?, WRITE_COUNT = ?, READ_SKIP_COUNT = ?, WRITE_SKIP_COUNT = ?, \
         PROCESS_SKIP_COUNT = ?, ROLLBACK_COUNT = ? WHERE STEP_EXECUTION_ID = ?",
        &params![
            all.status.name(),
            all.exit_code.as_str(),
            all.exit_message.as_str(),
            now,
            now,
            all.counters.commits,
            all.counters.reads,
            all.counters.filters,
            all.counters.writes,
            all.counters.read_skips,
            all.counters.write_skips,
            all.counters.process_skips,
            all.counters.rollbacks,
            manager.id.0
        ],
    )
    .await?;
    Ok(StepExecution {
        status: all.status,
        exit_code: all.exit_code,
        exit_message: all.exit_message,
        counters: all.counters,
        ..manager.clone()
    })
}

/// Ends the execution.
async fn end(
    tx: &mut Tx,
    execution: &JobExecution,
    status: BatchStatus,
    message: &str,
) -> StoreResult<Advance> {
    let exit_code = match status {
        BatchStatus::Completed if has_skips(tx, execution).await? => ExitCode::COMPLETED_WITH_SKIPS,
        BatchStatus::Completed => ExitCode::COMPLETED,
        BatchStatus::Stopped => ExitCode::STOPPED,
        _ => ExitCode::FAILED,
    };
    rows::set_job_status(tx, execution.id, status, &exit_code, message).await?;
    Ok(Advance::Ended(status))
}

async fn has_skips(tx: &mut Tx, execution: &JobExecution) -> StoreResult<bool> {
    let (skipped,): (i64,) = tx
        .fetch_one(
            "SELECT COUNT(*) FROM rejected_item WHERE job_instance_id = ?",
            &params![execution.instance_id.0],
        )
        .await?;
    Ok(skipped > 0)
}

/// Takes a STOPPING execution further: what nobody works on is STOPPED at once, what is at work
/// ends itself; when nothing is at work any more the execution ends.
async fn stop(tx: &mut Tx, execution: &JobExecution) -> StoreResult<Advance> {
    let stopped = stop_unclaimed(tx, execution.id).await?;
    if has_leases(tx, execution.id).await? {
        return Ok(if stopped {
            Advance::StepEnded
        } else {
            Advance::Waiting
        });
    }
    for &step in execution.job.steps() {
        let Some(own) = own_row(tx, execution.id, step).await? else {
            if completed_before(tx, execution, step).await? {
                continue;
            }
            return end(tx, execution, BatchStatus::Stopped, "stopped on request").await;
        };
        let ended = if own.status.is_running() && step.is_partitioned() {
            end_manager(tx, &own).await?
        } else {
            own
        };
        match ended.status {
            BatchStatus::Completed => {}
            status => return end(tx, execution, status, &ended.exit_message).await,
        }
    }
    // Nothing was left to stop.
    end(tx, execution, BatchStatus::Completed, "").await
}

/// Ends the partitions of a stopping execution that nobody holds, or whose holder is gone.
async fn stop_unclaimed(tx: &mut Tx, id: JobExecutionId) -> StoreResult<bool> {
    let now_micros = tx.now_micros().await?;
    let now = tx.now();
    let free: Vec<(i64,)> = tx
        .fetch_all(
            "SELECT step_execution_id FROM step_lease \
         WHERE job_execution_id = ? AND lease_until_micros <= ?",
            &params![id.0, now_micros],
        )
        .await?;
    for (step,) in &free {
        tx.execute(
            "UPDATE BATCH_STEP_EXECUTION SET VERSION = VERSION + 1, STATUS = 'STOPPED', \
             EXIT_CODE = 'STOPPED', END_TIME = ?, LAST_UPDATED = ? WHERE STEP_EXECUTION_ID = ?",
            &params![now, now, *step],
        )
        .await?;
        tx.execute(
            "DELETE FROM step_lease WHERE step_execution_id = ?",
            &params![*step],
        )
        .await?;
    }
    Ok(!free.is_empty())
}
