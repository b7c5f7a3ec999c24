//! Pruning of step executions of old job executions.

use crate::{
    Store, StoreResult,
    sql::{
        retry::on_conflict,
        statement::{LIST_CHUNK, Query, params},
        statuses,
        tx::Tx,
    },
};
use balance_batch::status::BatchStatus;
use chrono::NaiveDateTime;
use sqlx::AssertSqlSafe;

/// The tables that refer to a step execution. They are deleted before it. `rejected_item` stays,
/// because it records the held videos.
const TABLES: [&str; 3] = [
    "BATCH_STEP_EXECUTION_CONTEXT WHERE STEP_EXECUTION_ID",
    "step_expiry WHERE step_execution_id",
    "step_quarantine WHERE step_execution_id",
];

impl Store {
    /// Deletes the step executions and their contexts of the oldest job execution that ended before a
    /// time and whose instance is COMPLETED or ABANDONED. The instance, the execution and its
    /// parameters stay, because they record that the day is settled. Returns whether there was such
    /// an execution.
    pub async fn prune_oldest(&self, ended_before: NaiveDateTime) -> StoreResult<bool> {
        on_conflict(|| oldest(self, ended_before)).await
    }
}

/// Prunes one execution in one transaction.
async fn oldest(store: &Store, ended_before: NaiveDateTime) -> StoreResult<bool> {
    let mut tx = store.db.write().await?;
    let Some(id) = find(&mut tx, ended_before).await? else {
        return Ok(false);
    };
    let steps: Vec<(i64,)> = tx
        .fetch_all(
            "SELECT STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = ?",
            &params![id],
        )
        .await?;
    // By lists of IDs: MariaDB scans the whole table for a DELETE with a subquery.
    for steps in steps.chunks(LIST_CHUNK) {
        for table in TABLES {
            let mut delete = Query::new(&format!("DELETE FROM {table} IN "));
            delete.bind_list(steps.iter().map(|(step,)| *step));
            tx.execute_query(delete).await?;
        }
    }
    tx.execute(
        "DELETE FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = ?",
        &params![id],
    )
    .await?;
    tx.execute(
        "DELETE FROM job_execution_trace WHERE job_execution_id = ?",
        &params![id],
    )
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// Returns the oldest execution to prune. Not by `EXISTS`, which MariaDB turns into a scan of both
/// tables.
async fn find(tx: &mut Tx, ended_before: NaiveDateTime) -> StoreResult<Option<i64>> {
    let running = statuses::running();
    let finished = statuses::list([BatchStatus::Completed, BatchStatus::Abandoned]);
    let row: Option<(i64,)> = tx
        .fetch_optional(
            AssertSqlSafe(format!(
                "SELECT e.JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION e \
                 WHERE e.STATUS NOT IN {running} AND e.END_TIME < ? \
                 AND (SELECT 1 FROM BATCH_JOB_EXECUTION f \
                   WHERE f.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID \
                   AND f.STATUS IN {finished} AND f.END_TIME < ? LIMIT 1) IS NOT NULL \
                 AND (SELECT 1 FROM BATCH_STEP_EXECUTION s \
                   WHERE s.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID LIMIT 1) IS NOT NULL \
                 ORDER BY e.JOB_EXECUTION_ID LIMIT 1"
            )),
            &params![ended_before, ended_before],
        )
        .await?;
    Ok(row.map(|(id,)| id))
}
