//! Stopping and abandoning executions.

use crate::{
    Store, StoreResult,
    jobs::{
        JobError,
        date_lock::{self, check_newest, lock_date, subject},
        manager::end_manager,
        rows,
    },
    operations::{Actor, AuditAction, audit},
    sql::{retry::on_conflict, statement::params, statuses, tx::Tx},
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    status::{BatchStatus, ExitCode},
};
use sqlx::AssertSqlSafe;

impl Store {
    /// Requests a running execution to stop. A repeated request has no effect.
    ///
    /// # Errors
    /// If the execution does not exist or is not running, or the store fails.
    pub async fn stop(&self, id: JobExecutionId, by: &Actor) -> Result<(), JobError> {
        on_conflict(|| stop(self, id, by)).await
    }

    /// Abandons a stopping, stopped or failed execution. It cannot be restarted afterwards.
    ///
    /// # Errors
    /// If the execution does not exist, has another status or is not the newest of its date, or the
    /// store fails.
    pub async fn abandon(&self, id: JobExecutionId, by: &Actor) -> Result<(), JobError> {
        on_conflict(|| abandon(self, id, by)).await
    }
}

async fn stop(store: &Store, id: JobExecutionId, by: &Actor) -> Result<(), JobError> {
    let mut tx = store.db.write().await?;
    let lock = tx.for_update();
    let execution = rows::job(&mut tx, id, lock)
        .await?
        .ok_or(JobError::NoSuchExecution(id))?;
    match execution.status {
        // A repeated request has no effect.
        BatchStatus::Stopping => return Ok(()),
        BatchStatus::Starting | BatchStatus::Started => {}
        status => {
            return Err(JobError::NotRunning {
                execution: id,
                status,
            });
        }
    }
    let exit_code = execution.exit_code;
    rows::set_job_status(&mut tx, id, BatchStatus::Stopping, &exit_code, "").await?;
    audit::record(&mut tx, by, AuditAction::Stop, &subject(id, execution.date)).await?;
    tx.commit().await?;
    Ok(())
}

async fn abandon(store: &Store, id: JobExecutionId, by: &Actor) -> Result<(), JobError> {
    let mut tx = store.db.write().await?;
    let execution = date_lock::execution(&mut tx, id).await?;
    lock_date(&mut tx, execution.job, execution.date).await?;
    let lock = tx.for_update();
    let execution = rows::job(&mut tx, id, lock)
        .await?
        .ok_or(JobError::NoSuchExecution(id))?;
    let executions = rows::jobs_of_date(&mut tx, execution.job, execution.date).await?;
    check_newest(&execution, &executions)?;
    let status = execution.status;
    if status < BatchStatus::Stopping || status == BatchStatus::Abandoned {
        return Err(JobError::NotAbandonable {
            execution: id,
            status,
        });
    }
    abandon_steps(&mut tx, &execution).await?;
    tx.execute(
        "DELETE FROM step_lease WHERE job_execution_id = ?",
        &params![id.0],
    )
    .await?;
    let message = "abandoned by an admin";
    rows::set_job_status(
        &mut tx,
        id,
        BatchStatus::Abandoned,
        &execution.exit_code,
        message,
    )
    .await?;
    audit::record(
        &mut tx,
        by,
        AuditAction::Abandon,
        &subject(id, execution.date),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Ends every step that is not COMPLETED. Running managers get the sums of their partitions.
async fn abandon_steps(tx: &mut Tx, execution: &JobExecution) -> StoreResult<()> {
    let mut managers = Vec::new();
    for step in execution.job.steps() {
        managers.extend(
            rows::steps_named(tx, execution.id, step.name())
                .await?
                .into_iter()
                .filter(|row| row.status.is_running() && step.is_partitioned()),
        );
    }
    mark_abandoned(tx, execution.id).await?;
    for manager in &managers {
        end_manager(tx, manager).await?;
    }
    mark_abandoned(tx, execution.id).await
}

async fn mark_abandoned(tx: &mut Tx, id: JobExecutionId) -> StoreResult<()> {
    let now = tx.now();
    let final_statuses = statuses::list([BatchStatus::Completed, BatchStatus::Abandoned]);
    tx.execute(
        AssertSqlSafe(format!(
            "UPDATE BATCH_STEP_EXECUTION SET VERSION = VERSION + 1, STATUS = ?, \
             EXIT_CODE = CASE WHEN EXIT_CODE = ? THEN ? ELSE EXIT_CODE END, \
             END_TIME = COALESCE(END_TIME, ?), LAST_UPDATED = ? \
             WHERE JOB_EXECUTION_ID = ? AND STATUS NOT IN {final_statuses}"
        )),
        &params![
            BatchStatus::Abandoned.name(),
            ExitCode::EXECUTING.as_str(),
            ExitCode::STOPPED.as_str(),
            now,
            now,
            id.0
        ],
    )
    .await?;
    Ok(())
}
