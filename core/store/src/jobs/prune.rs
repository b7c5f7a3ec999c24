//! Pruning: the step executions of what is finished and old.

use crate::{
    Store, StoreResult,
    sql::db::{Tx, execute, fetch_optional},
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
        execute!(
            &mut tx,
            AssertSqlSafe(format!(
                "DELETE FROM {table} IN \
                 (SELECT STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = ?)"
            )),
            id
        )?;
    }
    execute!(
        &mut tx,
        "DELETE FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = ?",
        id
    )?;
    execute!(
        &mut tx,
        "DELETE FROM job_execution_trace WHERE job_execution_id = ?",
        id
    )?;
    tx.commit().await?;
    Ok(true)
}

async fn find(tx: &mut Tx, ended_before: NaiveDateTime) -> StoreResult<Option<i64>> {
    let row: Option<(i64,)> = fetch_optional!(
        tx,
        "SELECT e.JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION e \
         WHERE e.STATUS NOT IN ('STARTING', 'STARTED', 'STOPPING') AND e.END_TIME < ? \
         AND EXISTS (SELECT 1 FROM BATCH_JOB_EXECUTION f \
           WHERE f.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID \
           AND f.STATUS IN ('COMPLETED', 'ABANDONED') AND f.END_TIME < ?) \
         AND EXISTS (SELECT 1 FROM BATCH_STEP_EXECUTION s \
           WHERE s.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID) \
         ORDER BY e.JOB_EXECUTION_ID LIMIT 1",
        ended_before,
        ended_before
    )?;
    Ok(row.map(|(id,)| id))
}
