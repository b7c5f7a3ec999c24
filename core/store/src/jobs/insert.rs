//! Insertion of job instances, executions and step executions.

use crate::{
    StoreResult,
    sql::{dialect::Sequence, statement::params, tx::Tx},
};
use balance_batch::{
    execution::{JobExecutionId, JobInstanceId, StepExecutionId, exit_message},
    job::{Job, Step, StepName},
    parameters::JobParameters,
    spring::{
        context::{ExecutionContext, GRID_SIZE_KEY},
        key::JobKey,
    },
    status::{BatchStatus, ExitCode},
    trace::TraceParent,
};
use chrono::NaiveDate;

/// Returns the `run.id` of the next instance of a date.
pub(crate) async fn next_run_id(tx: &mut Tx, job: Job, date: NaiveDate) -> StoreResult<i64> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT COALESCE(MAX(run_id), 0) FROM job_date_instance \
             WHERE job_name = ? AND date = ?",
            &params![job.name(), date],
        )
        .await?;
    Ok(row.map_or(1, |(last,)| last + 1))
}

/// Inserts a job instance. `run_id` 0 is the first instance of a date, which has no `run.id`.
pub(crate) async fn insert_instance(
    tx: &mut Tx,
    job: Job,
    date: NaiveDate,
    run_id: i64,
) -> StoreResult<JobInstanceId> {
    // Spring Batch deletes an instance without its row here.
    tx.execute(
        "DELETE FROM job_date_instance WHERE job_name = ? AND date = ? AND job_instance_id NOT IN \
         (SELECT JOB_INSTANCE_ID FROM BATCH_JOB_INSTANCE)",
        &params![job.name(), date],
    )
    .await?;
    let id = tx.next_ids(Sequence::JobInstance, 1).await?;
    let key = JobKey::of(&parameters(date, run_id));
    tx.execute(
        "INSERT INTO BATCH_JOB_INSTANCE (JOB_INSTANCE_ID, VERSION, JOB_NAME, JOB_KEY) \
         VALUES (?, 0, ?, ?)",
        &params![id, job.name(), key.as_str()],
    )
    .await?;
    tx.execute(
        "INSERT INTO job_date_instance (job_instance_id, job_name, date, run_id) \
         VALUES (?, ?, ?, ?)",
        &params![id, job.name(), date, run_id],
    )
    .await?;
    Ok(JobInstanceId(id))
}

fn parameters(date: NaiveDate, run_id: i64) -> JobParameters {
    JobParameters::for_date(date, (run_id > 0).then_some(run_id))
}

/// Inserts a STARTING execution with its parameters and an empty context.
pub(crate) async fn insert_execution(
    tx: &mut Tx,
    instance: JobInstanceId,
    date: NaiveDate,
    run_id: i64,
) -> StoreResult<JobExecutionId> {
    let id = tx.next_ids(Sequence::JobExecution, 1).await?;
    let now = tx.now();
    tx.execute(
        "INSERT INTO BATCH_JOB_EXECUTION (JOB_EXECUTION_ID, VERSION, JOB_INSTANCE_ID, \
         CREATE_TIME, STATUS, EXIT_CODE, EXIT_MESSAGE, LAST_UPDATED) \
         VALUES (?, 0, ?, ?, ?, ?, '', ?)",
        &params![
            id,
            instance.0,
            now,
            BatchStatus::Starting.name(),
            ExitCode::UNKNOWN.as_str(),
            now
        ],
    )
    .await?;
    // Spring Batch has no row here, so that Balance never advances its executions.
    tx.execute(
        "INSERT INTO job_execution_launch (job_execution_id) VALUES (?)",
        &params![id],
    )
    .await?;
    for parameter in parameters(date, run_id).iter() {
        tx.execute(
            "INSERT INTO BATCH_JOB_EXECUTION_PARAMS (JOB_EXECUTION_ID, PARAMETER_NAME, \
             PARAMETER_TYPE, PARAMETER_VALUE, IDENTIFYING) VALUES (?, ?, ?, ?, ?)",
            &params![
                id,
                parameter.name.as_str(),
                parameter.value.java_class(),
                parameter.value.java_string(),
                if parameter.identifying { "Y" } else { "N" }
            ],
        )
        .await?;
    }
    let columns = ExecutionContext::new().to_columns();
    tx.execute(
        "INSERT INTO BATCH_JOB_EXECUTION_CONTEXT \
         (JOB_EXECUTION_ID, SHORT_CONTEXT, SERIALIZED_CONTEXT) VALUES (?, ?, ?)",
        &params![id, columns.short_context, columns.serialized_context],
    )
    .await?;
    Ok(JobExecutionId(id))
}

/// Stores the trace of the launch. Workers continue it when they process the execution.
pub(crate) async fn insert_trace(
    tx: &mut Tx,
    id: JobExecutionId,
    trace: Option<&TraceParent>,
) -> StoreResult<()> {
    if let Some(trace) = trace {
        tx.execute(
            "INSERT INTO job_execution_trace (job_execution_id, traceparent) VALUES (?, ?)",
            &params![id.0, trace.as_str()],
        )
        .await?;
    }
    Ok(())
}

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
