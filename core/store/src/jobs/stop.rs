//! Stopping and abandoning executions.

use crate::{
    Store, StoreResult,
    jobs::{
        JobError,
        launch::{found, lock_date, newest_of_date, subject},
        rows,
    },
    operations::{Actor, AuditAction, audit},
    sql::{statement::params, tx::Tx},
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    status::BatchStatus,
};

pub(crate) async fn stop(store: &Store, id: JobExecutionId, by: &Actor) -> Result<(), JobError> {
    let mut tx = store.db.write().await?;
    let lock = tx.for_update();
    let execution = rows::job(&mut tx, id, lock)
        .await?
        .ok_or(JobError::NoSuchExecution(id))?;
    match execution.status {
        // Asking twice is asking once.
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

pub(crate) async fn abandon(store: &Store, id: JobExecutionId, by: &Actor) -> Result<(), JobError> {
    let mut tx = store.db.write().await?;
    let execution = found(&mut tx, id).await?;
    lock_date(&mut tx, execution.job, execution.date).await?;
    let lock = tx.for_update();
    let execution = rows::job(&mut tx, id, lock)
        .await?
        .ok_or(JobError::NoSuchExecution(id))?;
    let executions = rows::jobs_of_date(&mut tx, execution.job, execution.date).await?;
    newest_of_date(&execution, &executions)?;
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

/// Ends every step that is not COMPLETED; managers that were at work become the sums of their
/// partitions.
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
        crate::jobs::advance::end_manager(tx, manager).await?;
    }
    mark_abandoned(tx, execution.id).await
}

async fn mark_abandoned(tx: &mut Tx, id: JobExecutionId) -> StoreResult<()> {
    let now = tx.now();
    tx.execute(
        "UPDATE BATCH_STEP_EXECUTION SET VERSION = VERSION + 1, STATUS = 'ABANDONED', \
         EXIT_CODE = CASE WHEN EXIT_CODE = 'EXECUTING' THEN 'STOPPED' ELSE EXIT_CODE END, \
         END_TIME = COALESCE(END_TIME, ?), LAST_UPDATED = ? \
         WHERE JOB_EXECUTION_ID = ? AND STATUS NOT IN ('COMPLETED', 'ABANDONED')",
        &params![now, now, id.0],
    )
    .await?;
    Ok(())
}
