//! A snapshot of the database's state for metrics and health checks.

use crate::{
    Store, StoreResult,
    jobs::{Leases, progress, rows},
    settlement::days,
    sql::{statement::params, statuses, tx::Tx},
};
use balance_batch::status::BatchStatus;
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// The limit of the counts of late and rejected events. It bounds the time of a snapshot.
pub const MAX_COUNTED: u32 = 10_000;

/// The state of the database, read in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSnapshot {
    /// The last closed day, if any.
    pub closed_through: Option<NaiveDate>,
    /// The first active day that is not settled, if any.
    pub first_unsettled_day: Option<NaiveDate>,
    /// The number of running executions.
    pub running: u64,
    /// The partitions of the running executions by status. Statuses without partitions are missing.
    pub partitions: Vec<(BatchStatus, u64)>,
    /// The unfinished partitions and tasklets by the state of their leases.
    pub leases: Leases,
    /// The number of workers that are alive.
    pub workers: u64,
    /// The maximum number of concurrent claims of the workers that are alive.
    pub slots: u64,
    /// Days whose newest execution is FAILED, among the newest 1,000 FAILED executions.
    pub failed_days: u64,
    /// Days whose newest execution is STOPPED, with the same limit.
    pub stopped_days: u64,
    /// Days whose newest execution is ABANDONED, with the same limit. They block later days until an
    /// admin launches them again.
    pub abandoned_days: u64,
    /// Events that arrived after their day was closed, at most [`MAX_COUNTED`].
    pub late_events: u64,
    /// Events that cannot be stored in the history, at most [`MAX_COUNTED`].
    pub rejected_events: u64,
}

impl Store {
    /// Reads a snapshot with a bounded number of index reads.
    pub async fn snapshot(&self) -> StoreResult<StoreSnapshot> {
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
    let running = statuses::running();
    let (count,): (i64,) = tx
        .fetch_one(
            AssertSqlSafe(format!(
                "SELECT COUNT(*) FROM BATCH_JOB_EXECUTION WHERE STATUS IN {running}"
            )),
            &[],
        )
        .await?;
    Ok(count.unsigned_abs())
}

/// Counts the partitions of the running executions. One day is settled at a time, so the number is
/// bounded.
async fn partitions(tx: &mut Tx) -> StoreResult<Vec<(BatchStatus, u64)>> {
    let running = statuses::running();
    let rows: Vec<(Option<String>, i64)> = tx
        .fetch_all(
            AssertSqlSafe(format!(
                "SELECT s.STATUS, COUNT(*) FROM BATCH_JOB_EXECUTION e \
                 JOIN BATCH_STEP_EXECUTION s ON s.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID \
                 WHERE e.STATUS IN {running} AND s.STEP_NAME LIKE '%:%' GROUP BY s.STATUS"
            )),
            &[],
        )
        .await?;
    rows.into_iter()
        .map(|(status, count)| Ok((rows::status(status)?, count.unsigned_abs())))
        .collect()
}

/// Counts the days whose newest execution has a status. Executions are never deleted, so only the
/// newest ones are read.
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

/// Counts the rows of a table up to [`MAX_COUNTED`].
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
