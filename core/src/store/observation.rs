//! The state of things, in numbers.

use super::{
    SqlStore,
    db::{Tx, fetch_all, fetch_one},
    job_rows, progress, settlement,
};
use crate::{
    batch::status::BatchStatus,
    port::{
        error::StoreResult,
        observation::{MAX_COUNTED, Observation, ObservationStore},
    },
};
use async_trait::async_trait;
use sqlx::AssertSqlSafe;

#[async_trait]
impl ObservationStore for SqlStore {
    async fn observe(&self) -> StoreResult<Observation> {
        let mut tx = self.db.read().await?;
        let (workers, slots) = workers(&mut tx).await?;
        Ok(Observation {
            closed_through: settlement::closed_through(&mut tx, "").await?,
            first_unsettled_day: settlement::first_unsettled_day(&mut tx).await?,
            running: running(&mut tx).await?,
            partitions: partitions(&mut tx).await?,
            leases: progress::leases(&mut tx).await?,
            workers,
            slots,
            failed_days: days_with(&mut tx, BatchStatus::Failed).await?,
            stopped_days: days_with(&mut tx, BatchStatus::Stopped).await?,
            abandoned_days: days_with(&mut tx, BatchStatus::Abandoned).await?,
            late_events: counted(&mut tx, "late_event").await?,
            rejected_events: counted(&mut tx, "rejected_event").await?,
        })
    }
}

async fn workers(tx: &mut Tx) -> StoreResult<(u64, u64)> {
    let now_micros = tx.now_micros().await?;
    let (workers, slots): (i64, i64) = fetch_one!(
        tx,
        "SELECT COUNT(*), CAST(COALESCE(SUM(concurrency), 0) AS SIGNED) FROM worker \
         WHERE alive_until_micros > ?",
        now_micros
    )?;
    Ok((workers.unsigned_abs(), slots.unsigned_abs()))
}

async fn running(tx: &mut Tx) -> StoreResult<u64> {
    let (running,): (i64,) = fetch_one!(
        tx,
        "SELECT COUNT(*) FROM BATCH_JOB_EXECUTION \
         WHERE STATUS IN ('STARTING', 'STARTED', 'STOPPING')"
    )?;
    Ok(running.unsigned_abs())
}

/// A day is at work at a time, and a day's partitions are bounded.
async fn partitions(tx: &mut Tx) -> StoreResult<Vec<(BatchStatus, u64)>> {
    let rows: Vec<(Option<String>, i64)> = fetch_all!(
        tx,
        "SELECT s.STATUS, COUNT(*) FROM BATCH_JOB_EXECUTION e \
         JOIN BATCH_STEP_EXECUTION s ON s.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID \
         WHERE e.STATUS IN ('STARTING', 'STARTED', 'STOPPING') AND s.STEP_NAME LIKE '%:%' \
         GROUP BY s.STATUS"
    )?;
    rows.into_iter()
        .map(|(status, count)| Ok((job_rows::status(status)?, count.unsigned_abs())))
        .collect()
}

/// Days that wait in a status. Executions are kept for ever, so only the newest are looked at.
async fn days_with(tx: &mut Tx, status: BatchStatus) -> StoreResult<u64> {
    let (days,): (i64,) = fetch_one!(
        tx,
        "SELECT COUNT(*) FROM (SELECT JOB_EXECUTION_ID AS id, JOB_INSTANCE_ID AS instance \
           FROM BATCH_JOB_EXECUTION WHERE STATUS = ? ORDER BY JOB_EXECUTION_ID DESC LIMIT 1000) e \
         JOIN job_date_instance d ON d.job_instance_id = e.instance \
         WHERE NOT EXISTS (SELECT 1 FROM job_date_instance other \
           JOIN BATCH_JOB_EXECUTION newer ON newer.JOB_INSTANCE_ID = other.job_instance_id \
           WHERE other.job_name = d.job_name AND other.date = d.date \
           AND newer.JOB_EXECUTION_ID > e.id)",
        status.name()
    )?;
    Ok(days.unsigned_abs())
}

/// The rows of one of our own tables, up to a limit.
async fn counted(tx: &mut Tx, table: &'static str) -> StoreResult<u64> {
    let (rows,): (i64,) = fetch_one!(
        tx,
        AssertSqlSafe(format!(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM {table} LIMIT {MAX_COUNTED}) counted"
        ))
    )?;
    Ok(rows.unsigned_abs())
}
