//! Insertion of job instances and executions.

use crate::{
    StoreResult,
    sql::{dialect::Sequence, statement::params, tx::Tx},
};
use balance_batch::{
    execution::{JobExecutionId, JobInstanceId},
    job::Job,
    parameters::JobParameters,
    spring::{context::ExecutionContext, key::JobKey},
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
