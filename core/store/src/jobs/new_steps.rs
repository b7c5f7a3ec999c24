//! Creation of step executions: managers, partitions and tasklets.

use crate::{
    StoreResult,
    sql::{dialect::Sequence, statement::params, tx::Tx},
};
use balance_batch::{
    execution::{JobExecutionId, StepExecutionId, exit_message},
    job::{Step, StepName},
    spring::context::{ExecutionContext, GRID_SIZE_KEY},
    status::{BatchStatus, ExitCode},
};

/// A step execution to be inserted.
pub(crate) struct NewStep {
    pub(crate) name: StepName,
    pub(crate) status: BatchStatus,
    pub(crate) exit_code: ExitCode,
    pub(crate) exit_message: String,
    pub(crate) context: ExecutionContext,
    /// Whether workers can claim the row: a partition or a tasklet.
    pub(crate) is_claimable: bool,
}

impl NewStep {
    /// Builds a STARTING row that workers can claim.
    pub(crate) fn claimable(name: StepName, context: ExecutionContext) -> Self {
        Self {
            name,
            status: BatchStatus::Starting,
            exit_code: ExitCode::EXECUTING,
            exit_message: String::new(),
            context,
            is_claimable: true,
        }
    }

    /// Builds the STARTED manager row of a partitioned step with `grid_size` partitions.
    pub(crate) fn manager(step: Step, grid_size: usize) -> Self {
        let mut context = ExecutionContext::new();
        context.put_long(GRID_SIZE_KEY, i64::try_from(grid_size).unwrap_or(i64::MAX));
        Self {
            status: BatchStatus::Started,
            is_claimable: false,
            ..Self::claimable(StepName::of_step(step), context)
        }
    }
}

/// Inserts step executions with their contexts, and a lease row for each claimable one. Returns their
/// ids in order.
pub(crate) async fn insert_steps(
    tx: &mut Tx,
    job: JobExecutionId,
    steps: &[NewStep],
) -> StoreResult<Vec<StepExecutionId>> {
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let count = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let first = tx.next_ids(Sequence::StepExecution, count).await?;
    let now = tx.now();
    let steps: Vec<(i64, &NewStep)> = (first..).zip(steps).collect();
    tx.insert_rows(
        "INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, VERSION, STEP_NAME, \
         JOB_EXECUTION_ID, CREATE_TIME, START_TIME, END_TIME, STATUS, COMMIT_COUNT, READ_COUNT, \
         FILTER_COUNT, WRITE_COUNT, READ_SKIP_COUNT, WRITE_SKIP_COUNT, PROCESS_SKIP_COUNT, \
         ROLLBACK_COUNT, EXIT_CODE, EXIT_MESSAGE, LAST_UPDATED) ",
        &steps[..],
        |step| {
            let (id, step) = step;
            // A manager is running from the start; a quarantined partition has ended.
            let started = (step.status == BatchStatus::Started).then_some(now);
            let ended = (!step.status.is_running()).then_some(now);
            params![
                *id,
                0_i64,
                step.name.to_string(),
                job.0,
                now,
                started,
                ended,
                step.status.name(),
                0_i64,
                0_i64,
                0_i64,
                0_i64,
                0_i64,
                0_i64,
                0_i64,
                0_i64,
                step.exit_code.as_str(),
                exit_message(&step.exit_message),
                now
            ]
        },
        "",
    )
    .await?;
    tx.insert_rows(
        "INSERT INTO BATCH_STEP_EXECUTION_CONTEXT \
         (STEP_EXECUTION_ID, SHORT_CONTEXT, SERIALIZED_CONTEXT) ",
        &steps[..],
        |step| {
            let columns = step.1.context.to_columns();
            params![step.0, columns.short_context, columns.serialized_context]
        },
        "",
    )
    .await?;
    let claimable: Vec<i64> = steps
        .iter()
        .filter(|(_, step)| step.is_claimable)
        .map(|(id, _)| *id)
        .collect();
    tx.insert_rows(
        "INSERT INTO step_lease (step_execution_id, job_execution_id, lease_until_micros) ",
        &claimable[..],
        |id| params![*id, job.0, 0_i64],
        "",
    )
    .await?;
    Ok(steps.iter().map(|(id, _)| StepExecutionId(*id)).collect())
}
