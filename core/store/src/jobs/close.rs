//! Closing the steps of an execution that another program ended. `stop` of Spring Batch ends an
//! execution without its partitions, and `recover` keeps their leases.

use crate::{
    StoreResult,
    jobs::{manager::end_manager, rows},
    sql::{statement::params, statuses, tx::Tx},
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    status::{BatchStatus, ExitCode},
    step::{StepExecution, aggregate},
};
use sqlx::AssertSqlSafe;

/// The leases that a close deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseScope {
    /// Unclaimed and expired leases. Live workers end their partitions themselves.
    Claimable,
    /// All leases. The next write of a live worker fails on `VERSION`.
    All,
}

/// Ends the running steps of an ended execution: partitions and tasklets as STOPPED, and then the
/// managers with the sums of their partitions. Returns whether a row changed. The caller has locked the
/// execution.
pub(crate) async fn close_steps(
    tx: &mut Tx,
    execution: &JobExecution,
    scope: LeaseScope,
) -> StoreResult<bool> {
    let mut changed = stop_leased(tx, execution.id, scope).await?;
    if has_leases(tx, execution.id).await? {
        return Ok(changed);
    }
    for step in execution.job.steps() {
        let Some(worker) = step.worker_name() else {
            continue;
        };
        let pattern = format!("{worker}:partition%");
        let partitions = rows::steps_named(tx, execution.id, &pattern).await?;
        for manager in rows::steps_named(tx, execution.id, step.name()).await? {
            if partitions.is_empty() {
                // A step without a plan runs again after a restart.
                changed |= stop_step(tx, manager.id.0).await?;
            } else if is_open(&manager, &partitions) {
                end_manager(tx, &manager).await?;
                changed = true;
            }
        }
    }
    Ok(changed)
}

/// Returns whether a manager lacks the final result of its partitions, which have ended: it is running,
/// or another program ended it without their sums.
fn is_open(manager: &StepExecution, partitions: &[StepExecution]) -> bool {
    if manager.status == BatchStatus::Abandoned
        || partitions.iter().any(|one| one.status.is_running())
    {
        return false;
    }
    let all = aggregate(partitions);
    let lacks_exit = manager.exit_code == ExitCode::EXECUTING && all.exit_code != manager.exit_code;
    manager.status.is_running() || lacks_exit || manager.counters != all.counters
}

/// Stops the partitions and tasklets with one of these leases, and deletes the lease. A row that has
/// ended keeps its status. Returns whether there were any.
pub(crate) async fn stop_leased(
    tx: &mut Tx,
    id: JobExecutionId,
    scope: LeaseScope,
) -> StoreResult<bool> {
    let until = match scope {
        LeaseScope::Claimable => tx.now_micros().await?,
        LeaseScope::All => i64::MAX,
    };
    let steps: Vec<(i64,)> = tx
        .fetch_all(
            "SELECT step_execution_id FROM step_lease \
             WHERE job_execution_id = ? AND lease_until_micros <= ?",
            &params![id.0, until],
        )
        .await?;
    for (step,) in &steps {
        if !stop_step(tx, *step).await? {
            // Its owner must not write any more.
            tx.execute(
                "UPDATE BATCH_STEP_EXECUTION SET VERSION = VERSION + 1 \
                 WHERE STEP_EXECUTION_ID = ?",
                &params![*step],
            )
            .await?;
        }
        tx.execute(
            "DELETE FROM step_lease WHERE step_execution_id = ?",
            &params![*step],
        )
        .await?;
    }
    Ok(!steps.is_empty())
}

/// Stops a step execution if it is running. Returns whether it was.
async fn stop_step(tx: &mut Tx, id: i64) -> StoreResult<bool> {
    let now = tx.now();
    let running = statuses::running();
    let stopped = tx
        .execute(
            AssertSqlSafe(format!(
                "UPDATE BATCH_STEP_EXECUTION SET VERSION = VERSION + 1, STATUS = ?, EXIT_CODE = ?, \
                 END_TIME = ?, LAST_UPDATED = ? WHERE STEP_EXECUTION_ID = ? AND STATUS IN {running}"
            )),
            &params![
                BatchStatus::Stopped.name(),
                ExitCode::STOPPED.as_str(),
                now,
                now,
                id
            ],
        )
        .await?;
    Ok(stopped == 1)
}

/// Returns whether an execution has partitions or tasklets that have not ended.
pub(crate) async fn has_leases(tx: &mut Tx, id: JobExecutionId) -> StoreResult<bool> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT 1 FROM step_lease WHERE job_execution_id = ? LIMIT 1",
            &params![id.0],
        )
        .await?;
    Ok(row.is_some())
}
