//! Advancing an execution: starts its next step, ends a step whose partitions have ended, ends the
//! execution, and closes the steps of an execution that another program ended. Idempotent. Each
//! transaction locks the execution's row first.

use crate::{
    Store, StoreResult,
    jobs::{
        close::{LeaseScope, close_steps, has_leases, stop_leased},
        insert::{NewStep, insert_steps},
        manager::end_manager,
        rerun, rows,
    },
    reports::totals::{self, Totals},
    sql::{retry::on_conflict, statement::params, statuses, tx::Tx},
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId, StepExecutionId},
    job::{Step, StepName},
    partition::{IdRange, PartitionState},
    spring::context::ExecutionContext,
    status::{BatchStatus, ExitCode},
    step::StepExecution,
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// The outcome of [`Store::advance`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// Nothing changed: partitions are unfinished, the execution has ended, or another program runs it.
    Waiting,
    /// The next step is partitioned and has no plan yet. The caller must call again with a plan.
    NeedsPlan { step: Step, date: NaiveDate },
    /// A step started. Workers can claim these step executions.
    Started(Vec<StepExecutionId>),
    /// A step ended. The caller must call again.
    StepEnded,
    /// The execution ended.
    Ended(BatchStatus),
}

/// The plan of a partitioned step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub step: Step,
    /// The id ranges in order.
    pub ranges: Vec<IdRange>,
}

impl Store {
    /// Advances an execution by one step, if possible. Idempotent: any process may call it. The plan
    /// is used only if it belongs to the next step and that step has no partitions yet. Ending an
    /// execution sums up the day's totals in separate read transactions.
    pub async fn advance(&self, id: JobExecutionId, plan: Option<Plan>) -> StoreResult<Advance> {
        on_conflict(|| advance(self, id, plan.clone())).await
    }
}

async fn advance(store: &Store, id: JobExecutionId, plan: Option<Plan>) -> StoreResult<Advance> {
    if is_working(store, id).await? {
        return Ok(Advance::Waiting);
    }
    match attempt(store, id, plan, None).await? {
        Attempt::Advanced(advanced) => Ok(advanced),
        Attempt::NeedsTotals(date) => {
            // Computed before any lock is held. Discarded if another process ended the execution.
            let totals = totals::of_day(store, date).await?;
            match attempt(store, id, None, Some(&totals)).await? {
                Attempt::Advanced(advanced) => Ok(advanced),
                Attempt::NeedsTotals(_) => Ok(Advance::Waiting),
            }
        }
    }
}

/// The outcome of an attempt.
enum Attempt {
    Advanced(Advance),
    /// All steps of the day are completed. The execution ends when the totals are available.
    NeedsTotals(NaiveDate),
}

/// Advances the execution in one transaction.
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
        // The program that launched it advances it.
        _ if execution.is_foreign => Advance::Waiting,
        BatchStatus::Starting | BatchStatus::Started => {
            start_next_step(&mut tx, &execution, plan).await?
        }
        BatchStatus::Stopping => advance_stop(&mut tx, &execution).await?,
        BatchStatus::Completed => Advance::Waiting,
        // Another program can end an execution whose steps are running.
        _ if close_steps(&mut tx, &execution, LeaseScope::Claimable).await? => Advance::StepEnded,
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

/// Returns whether an execution is STARTED and has unfinished partitions. Then it cannot advance, and
/// no lock is needed. With many partitions this holds for nearly every call.
async fn is_working(store: &Store, id: JobExecutionId) -> StoreResult<bool> {
    let started = statuses::literal(BatchStatus::Started);
    let mut tx = store.db.read().await?;
    let row: Option<(i64,)> = tx
        .fetch_optional(
            AssertSqlSafe(format!(
                "SELECT 1 FROM BATCH_JOB_EXECUTION e JOIN step_lease l \
                 ON l.job_execution_id = e.JOB_EXECUTION_ID \
                 WHERE e.JOB_EXECUTION_ID = ? AND e.STATUS = {started} LIMIT 1"
            )),
            &params![id.0],
        )
        .await?;
    Ok(row.is_some())
}

/// Starts the next step, or ends the current one if its partitions have ended.
async fn start_next_step(
    tx: &mut Tx,
    execution: &JobExecution,
    plan: Option<Plan>,
) -> StoreResult<Advance> {
    for &step in execution.job.steps() {
        let Some(own) = own_row(tx, execution.id, step).await? else {
            if completed_before(tx, execution, step).await? {
                continue;
            }
            return start_step(tx, execution, step, plan).await;
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

/// Returns the step's own row in this execution: the manager or the tasklet.
async fn own_row(
    tx: &mut Tx,
    id: JobExecutionId,
    step: Step,
) -> StoreResult<Option<StepExecution>> {
    Ok(rows::steps_named(tx, id, step.name()).await?.pop())
}

/// Returns whether an earlier execution of the instance completed the step.
async fn completed_before(tx: &mut Tx, execution: &JobExecution, step: Step) -> StoreResult<bool> {
    let newest = rows::newest_steps(tx, execution.instance_id, step.name()).await?;
    Ok(newest
        .iter()
        .any(|row| row.status == BatchStatus::Completed))
}

/// Inserts the rows of a step: those of its plan, or of a restart.
async fn start_step(
    tx: &mut Tx,
    execution: &JobExecution,
    step: Step,
    plan: Option<Plan>,
) -> StoreResult<Advance> {
    let rows = match step.worker_name() {
        None => vec![NewStep::claimable(
            StepName::of_step(step),
            ExecutionContext::new(),
        )],
        Some(worker) => {
            let pattern = format!("{worker}:partition%");
            let earlier = rows::newest_steps(tx, execution.instance_id, &pattern).await?;
            match (earlier.is_empty(), plan) {
                (false, _) => rerun::partitions(tx, step, &earlier).await?,
                (true, Some(plan)) if plan.step == step => plan_rows(&plan),
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
    let ids = insert_steps(tx, execution.id, &rows).await?;
    rerun::copy_quarantine(tx, &ids, &rows).await?;
    let claimable = ids
        .iter()
        .zip(&rows)
        .filter(|(_, row)| row.is_claimable)
        .map(|(id, _)| *id);
    Ok(Advance::Started(claimable.collect()))
}

/// Builds the manager and the partitions of a new plan.
fn plan_rows(plan: &Plan) -> Vec<NewStep> {
    let mut rows = vec![NewStep::manager(plan.step, plan.ranges.len())];
    rows.extend((0..).zip(&plan.ranges).map(|(number, range)| {
        let context = PartitionState::new(*range).to_context();
        NewStep::claimable(StepName::of_partition(plan.step, number), context)
    }));
    rows
}

/// Ends the execution with the exit code of its status.
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

/// Advances a STOPPING execution: stops unclaimed partitions at once and waits for the workers of the
/// others. When no partition is running any more, the execution ends.
async fn advance_stop(tx: &mut Tx, execution: &JobExecution) -> StoreResult<Advance> {
    let stopped = stop_leased(tx, execution.id, LeaseScope::Claimable).await?;
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
    // All steps had been completed.
    end(tx, execution, BatchStatus::Completed, "").await
}
