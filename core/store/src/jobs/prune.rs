//! Pruning: the step executions of what is finished and old.

use crate::{
    Store, StoreResult,
    sql::{statement::params, tx::Tx},
};
use chrono::NaiveDateTime;
use sqlx::AssertSqlSafe;

/// The tables that hang on a step execution, before their owner. `rejected_item` stays: it says
/// which videos are held.
const TABLES: [&str; 3] = [
    "BATCH_STEP_EXECUTION_CONTEXT WHERE STEP_EXECUTION_ID",
    "step_expiry WHERE step_execution_id",
    "step_quarantine WHERE step_execution_id",
];

/// One execution, one transaction: its steps go together or not at all.
pub(crate) async fn oldest(store: &Store, ended_before: NaiveDateTime) -> StoreResult<bool> {
    let mut tx = store.db.write().await?;
    let Some(id) = find(&mut tx, ended_before).await? else {
        return Ok(false);
    };
    for table in TABLES {
        tx.execute(
            AssertSqlSafe(format!(
                "DELETE FROM {table} IN \
                 (SELECT STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = ?)"
            )),
            &params![id],
        )
        .await?;
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

async fn find(tx: &mut Tx, ended_before: NaiveDateTime) -> StoreResult<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT e.JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION e \
         WHERE e.STATUS NOT IN ('STARTING', 'STARTED', 'STOPPING') AND e.END_TIME < ? \
         AND EXISTS (SELECT 1 FROM BATCH_JOB_EXECUTION f \
           WHERE f.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID \
           AND f.STATUS IN ('COMPLETED', 'ABANDONED') AND f.END_TIME < ?) \
         AND EXISTS (SELECT 1 FROM BATCH_STEP_EXECUTION s \
           WHERE s.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID) \
         ORDER BY e.JOB_EXECUTION_ID LIMIT 1",
            &params![ended_before, ended_before],
        )
        .await?;
    Ok(row.map(|(id,)| id))
}
