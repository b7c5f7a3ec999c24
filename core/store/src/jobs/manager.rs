//! The end of a manager: the step execution that sums up the partitions of a step.

use crate::{
    StoreResult,
    jobs::rows,
    sql::{statement::params, tx::Tx},
};
use balance_batch::step::{StepExecution, aggregate};

/// Ends a manager with the aggregated status and counters of its partitions, which have all ended.
/// Returns the updated manager.
pub(crate) async fn end_manager(
    tx: &mut Tx,
    manager: &StepExecution,
) -> StoreResult<StepExecution> {
    let worker = manager.name.step.worker_name().unwrap_or_default();
    let pattern = format!("{worker}:partition%");
    let partitions = rows::steps_named(tx, manager.job_execution_id, &pattern).await?;
    let all = aggregate(&partitions);
    let now = tx.now();
    tx.execute(
        "UPDATE BATCH_STEP_EXECUTION SET VERSION = VERSION + 1, STATUS = ?, EXIT_CODE = ?, \
         EXIT_MESSAGE = ?, END_TIME = ?, LAST_UPDATED = ?, COMMIT_COUNT = ?, READ_COUNT = ?, \
         FILTER_COUNT = ?, WRITE_COUNT = ?, READ_SKIP_COUNT = ?, WRITE_SKIP_COUNT = ?, \
         PROCESS_SKIP_COUNT = ?, ROLLBACK_COUNT = ? WHERE STEP_EXECUTION_ID = ?",
        &params![
            all.status.name(),
            all.exit_code.as_str(),
            all.exit_message.as_str(),
            now,
            now,
            all.counters.commits,
            all.counters.reads,
            all.counters.filters,
            all.counters.writes,
            all.counters.read_skips,
            all.counters.write_skips,
            all.counters.process_skips,
            all.counters.rollbacks,
            manager.id.0
        ],
    )
    .await?;
    Ok(StepExecution {
        status: all.status,
        exit_code: all.exit_code,
        exit_message: all.exit_message,
        counters: all.counters,
        ..manager.clone()
    })
}
