//! The lock of a date, and the checks that need it.

use crate::{
    StoreResult,
    jobs::{JobError, rows},
    sql::{statement::params, tx::Tx},
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    job::Job,
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// Creates the date's row if it is missing and locks it, so that launches of one date run one after
/// the other.
pub(crate) async fn lock_date(tx: &mut Tx, job: Job, date: NaiveDate) -> StoreResult<()> {
    let keep = tx.on_conflict_keep("job_name, date");
    tx.execute(
        AssertSqlSafe(format!(
            "INSERT INTO job_date (job_name, date) VALUES (?, ?){keep}"
        )),
        &params![job.name(), date],
    )
    .await?;
    let lock = tx.for_update();
    let _: Vec<(String,)> = tx
        .fetch_all(
            AssertSqlSafe(format!(
                "SELECT job_name FROM job_date WHERE job_name = ? AND date = ?{lock}"
            )),
            &params![job.name(), date],
        )
        .await?;
    Ok(())
}

/// Returns an execution without locking it.
pub(crate) async fn execution(tx: &mut Tx, id: JobExecutionId) -> Result<JobExecution, JobError> {
    rows::job(tx, id, "")
        .await?
        .ok_or(JobError::NoSuchExecution(id))
}

/// Rejects an execution that is not the newest of its date. `executions` begins with the newest.
pub(crate) fn check_newest(
    execution: &JobExecution,
    executions: &[JobExecution],
) -> Result<(), JobError> {
    match executions.first() {
        Some(newest) if newest.id != execution.id => Err(JobError::NotNewest {
            date: execution.date,
            execution: execution.id,
            newest: newest.id,
        }),
        _ => Ok(()),
    }
}

/// Returns the subject of an audit entry about an execution.
pub(crate) fn subject(id: JobExecutionId, date: NaiveDate) -> String {
    format!("execution {id} of {date}")
}
