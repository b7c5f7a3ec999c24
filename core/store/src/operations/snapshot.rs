//! What the database tells of the state of things, in numbers, for whoever watches the system.

use crate::{
    Store, StoreResult,
    jobs::{Leases, progress, rows},
    settlement::days,
    sql::{statement::params, tx::Tx},
};
use balance_batch::status::BatchStatus;
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// Late and rejected events are counted up to so many: a count must not grow with them.
pub const MAX_COUNTED: u32 = 10_000;

/// The state of things, as one transaction sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSnapshot {
    /// The last day to which nothing is added any more.
    pub closed_through: Option<NaiveDate>,
    /// The first active day that is not settled, if any.
    pub first_unsettled_day: Option<NaiveDate>,
    /// Executions that run.
    pub running: u64,
    /// Their partitions by status; none for a status that no partition has.
    pub partitions: Vec<(BatchStatus, u64)>,
    /// Partitions and tasklets that have not ended, by who has them.
    pub leases: Leases,
    /// Workers seen within their leases.
    pub workers: u64,
    /// Claims that these can work at a time.
    pub slots: u64,
    /// Days whose newest execution has FAILED, of the newest 1,000 such executions.
    pub failed_days: u64,
    /// Days whose newest execution is STOPPED, likewise.
    pub stopped_days: u64,
    /// Days whose newest execution is ABANDONED, likewise: launched anew, or they hold up the rest.
    pub abandoned_days: u64,
    /// Events that came after their day was closed, at most [`MAX_COUNTED`].
    pub late_events: u64,
    /// Events that can never be written, at most [`MAX_COUNTED`].
    pub rejected_events: u64,
}

impl Store {
    /// The state of things, by a bounded number of reads of indexes.
    pub async fn observe(&self) -> StoreResult<StoreSnapshot> {
        let mut tx = self.db.read().await?;
        let (workers, slots) = workers(&mut tx).await?;
        Ok(StoreSnapshot {
            closed_through: days::closed_through(&mut tx, "").await?,
            first_unsettled_day: days::first_unsettled_day(&mut tx).await?,
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
    let (workers, slots): (i64, i64) = tx
        .fetch_one(
            "SELECT COUNT(*), CAST(COALESCE(SUM(concurrency), 0) AS SIGNED) FROM worker \
         WHERE alive_until_micros > ?",
            &params![now_micros],
        )
        .await?;
    Ok((workers.unsigned_abs(), slots.unsigned_abs()))
}

async fn running(tx: &mut Tx) -> StoreResult<u64> {
    let (running,): (i64,) = tx
        .fetch_one(
            "SELECT COUNT(*) FROM BATCH_JOB_EXECUTION \
         WHERE STATUS IN ('STARTING', 'STARTED', 'STOPPING')",
            &[],
        )
        .await?;
    Ok(running.unsigned_abs())
}

/// A day is at work at a time, and a day's partitions are bounded.
async fn partitions(tx: &mut Tx) -> StoreResult<Vec<(BatchStatus, u64)>> {
    let rows: Vec<(Option<String>, i64)> = tx
        .fetch_all(
            "SELECT s.STATUS, COUNT(*) FROM BATCH_JOB_EXECUTION e \
         JOIN BATCH_STEP_EXECUTION s ON s.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID \
         WHERE e.STATUS IN ('STARTING', 'STARTED', 'STOPPING') AND s.STEP_NAME LIKE '%:%' \
         GROUP BY s.STATUS",
            &[],
        )
        .await?;
    rows.into_iter()
        .map(|(status, count)| Ok((rows::status(status)?, count.unsigned_abs())))
        .collect()
}

/// Days that wait in a status. Executions are kept for ever, so only the newest are looked at.
async fn days_with(tx: &mut Tx, status: BatchStatus) -> StoreResult<u64> {
    let (days,): (i64,) = tx
        .fetch_one(
            "SELECT COUNT(*) FROM (SELECT JOB_EXECUTION_ID AS id, JOB_INSTANCE_ID AS instance \
           FROM BATCH_JOB_EXECUTION WHERE STATUS = ? ORDER BY JOB_EXECUTION_ID DESC LIMIT 1000) e \
         JOIN job_date_instance d ON d.job_instance_id = e.instance \
         WHERE NOT EXISTS (SELECT 1 FROM job_date_instance other \
           JOIN BATCH_JOB_EXECUTION newer ON newer.JOB_INSTANCE_ID = other.job_instance_id \
           WHERE other.job_name = d.job_name AND other.date = d.date \
           AND newer.JOB_EXECUTION_ID > e.id)",
            &params![status.name()],
        )
        .await?;
    Ok(days.unsigned_abs())
}

/// The rows of one of our own tables, up to a limit.
async fn counted(tx: &mut Tx, table: &'static str) -> StoreResult<u64> {
    let (rows,): (i64,) = tx
        .fetch_one(
            AssertSqlSafe(format!(
                "SELECT COUNT(*) FROM (SELECT 1 AS one FROM {table} LIMIT {MAX_COUNTED}) counted"
            )),
            &[],
        )
        .await?;
    Ok(rows.unsigned_abs())
}
