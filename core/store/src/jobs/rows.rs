//! Rows of the job tables.

use crate::{
    StoreError, StoreResult,
    sql::{statement::params, tx::Tx},
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId, JobInstanceId, StepExecutionId, exit_message},
    job::{Job, StepName},
    spring::context::ExecutionContext,
    status::{BatchStatus, ExitCode},
    step::{Counters, StepExecution},
};
use chrono::{NaiveDate, NaiveDateTime};
use sqlx::AssertSqlSafe;

/// A job execution joined with its instance and date.
#[derive(sqlx::FromRow)]
struct JobRow {
    job_execution_id: i64,
    job_instance_id: i64,
    job_name: String,
    date: NaiveDate,
    run_id: i64,
    status: Option<String>,
    exit_code: Option<String>,
    exit_message: Option<String>,
    create_time: NaiveDateTime,
    start_time: Option<NaiveDateTime>,
    end_time: Option<NaiveDateTime>,
    /// 1 if Balance launched the execution, else 0.
    launches: i64,
}

const JOB_SELECT: &str = "SELECT e.JOB_EXECUTION_ID AS job_execution_id, \
     e.JOB_INSTANCE_ID AS job_instance_id, d.job_name AS job_name, d.date AS date, \
     d.run_id AS run_id, e.STATUS AS status, e.EXIT_CODE AS exit_code, \
     e.EXIT_MESSAGE AS exit_message, e.CREATE_TIME AS create_time, e.START_TIME AS start_time, \
     e.END_TIME AS end_time, (SELECT COUNT(*) FROM job_execution_launch n \
       WHERE n.job_execution_id = e.JOB_EXECUTION_ID) AS launches \
     FROM BATCH_JOB_EXECUTION e \
     JOIN job_date_instance d ON d.job_instance_id = e.JOB_INSTANCE_ID";

impl TryFrom<JobRow> for JobExecution {
    type Error = StoreError;

    fn try_from(row: JobRow) -> StoreResult<Self> {
        let job = Job::from_name(&row.job_name)
            .ok_or_else(|| StoreError::Damaged(format!("unknown job '{}'", row.job_name)))?;
        Ok(Self {
            id: JobExecutionId(row.job_execution_id),
            instance_id: JobInstanceId(row.job_instance_id),
            job,
            date: row.date,
            run_id: (row.run_id > 0).then_some(row.run_id),
            status: status(row.status)?,
            exit_code: ExitCode::from_table(row.exit_code.unwrap_or_default()),
            exit_message: row.exit_message.unwrap_or_default(),
            create_time: row.create_time,
            start_time: row.start_time,
            end_time: row.end_time,
            is_foreign: row.launches == 0,
        })
    }
}

/// A row of `BATCH_STEP_EXECUTION`.
#[derive(sqlx::FromRow)]
struct StepRow {
    step_execution_id: i64,
    job_execution_id: i64,
    step_name: String,
    version: i64,
    status: Option<String>,
    exit_code: Option<String>,
    exit_message: Option<String>,
    commit_count: i64,
    read_count: i64,
    filter_count: i64,
    write_count: i64,
    read_skip_count: i64,
    write_skip_count: i64,
    process_skip_count: i64,
    rollback_count: i64,
    start_time: Option<NaiveDateTime>,
    end_time: Option<NaiveDateTime>,
}

const STEP_SELECT: &str = "SELECT s.STEP_EXECUTION_ID AS step_execution_id, \
     s.JOB_EXECUTION_ID AS job_execution_id, s.STEP_NAME AS step_name, s.VERSION AS version, \
     s.STATUS AS status, s.EXIT_CODE AS exit_code, s.EXIT_MESSAGE AS exit_message, \
     s.COMMIT_COUNT AS commit_count, s.READ_COUNT AS read_count, \
     s.FILTER_COUNT AS filter_count, s.WRITE_COUNT AS write_count, \
     s.READ_SKIP_COUNT AS read_skip_count, s.WRITE_SKIP_COUNT AS write_skip_count, \
     s.PROCESS_SKIP_COUNT AS process_skip_count, s.ROLLBACK_COUNT AS rollback_count, \
     s.START_TIME AS start_time, s.END_TIME AS end_time \
     FROM BATCH_STEP_EXECUTION s";

impl TryFrom<StepRow> for StepExecution {
    type Error = StoreError;

    fn try_from(row: StepRow) -> StoreResult<Self> {
        let name = StepName::parse(&row.step_name)
            .ok_or_else(|| StoreError::Damaged(format!("unknown step '{}'", row.step_name)))?;
        Ok(Self {
            id: StepExecutionId(row.step_execution_id),
            job_execution_id: JobExecutionId(row.job_execution_id),
            name,
            version: row.version,
            status: status(row.status)?,
            exit_code: ExitCode::from_table(row.exit_code.unwrap_or_default()),
            exit_message: row.exit_message.unwrap_or_default(),
            counters: Counters {
                commits: row.commit_count,
                reads: row.read_count,
                filters: row.filter_count,
                writes: row.write_count,
                read_skips: row.read_skip_count,
                write_skips: row.write_skip_count,
                process_skips: row.process_skip_count,
                rollbacks: row.rollback_count,
            },
            start_time: row.start_time,
            end_time: row.end_time,
        })
    }
}

/// Parses a status.
pub(crate) fn status(word: Option<String>) -> StoreResult<BatchStatus> {
    let word = word.ok_or_else(|| StoreError::Damaged("a status is NULL".to_owned()))?;
    word.parse()
        .map_err(|error: balance_batch::status::BatchStatusError| {
            StoreError::Damaged(error.to_string())
        })
}

/// Returns an execution. `lock` is the end of the SELECT and may lock the row.
pub(crate) async fn job(
    tx: &mut Tx,
    id: JobExecutionId,
    lock: &str,
) -> StoreResult<Option<JobExecution>> {
    let sql = format!("{JOB_SELECT} WHERE e.JOB_EXECUTION_ID = ?{lock}");
    let row: Option<JobRow> = tx
        .fetch_optional(AssertSqlSafe(sql), &params![id.0])
        .await?;
    row.map(JobExecution::try_from).transpose()
}

/// Returns the executions of a date, newest first.
pub(crate) async fn jobs_of_date(
    tx: &mut Tx,
    job: Job,
    date: NaiveDate,
) -> StoreResult<Vec<JobExecution>> {
    let sql = format!(
        "{JOB_SELECT} WHERE d.job_name = ? AND d.date = ? ORDER BY e.JOB_EXECUTION_ID DESC"
    );
    let rows: Vec<JobRow> = tx
        .fetch_all(AssertSqlSafe(sql), &params![job.name(), date])
        .await?;
    rows.into_iter().map(JobExecution::try_from).collect()
}

/// Returns the newest executions, or those before one.
pub(crate) async fn newest_jobs(
    tx: &mut Tx,
    before: Option<JobExecutionId>,
    limit: u32,
) -> StoreResult<Vec<JobExecution>> {
    let sql = format!(
        "{JOB_SELECT} WHERE e.JOB_EXECUTION_ID < ? ORDER BY e.JOB_EXECUTION_ID DESC LIMIT ?"
    );
    let before = before.map_or(i64::MAX, |id| id.0);
    let rows: Vec<JobRow> = tx
        .fetch_all(AssertSqlSafe(sql), &params![before, limit])
        .await?;
    rows.into_iter().map(JobExecution::try_from).collect()
}

/// Returns the step executions of an execution whose names match a `LIKE` pattern, in the order of
/// their ids.
pub(crate) async fn steps_named(
    tx: &mut Tx,
    id: JobExecutionId,
    pattern: &str,
) -> StoreResult<Vec<StepExecution>> {
    let sql = format!(
        "{STEP_SELECT} WHERE s.JOB_EXECUTION_ID = ? AND s.STEP_NAME LIKE ? \
         ORDER BY s.STEP_EXECUTION_ID"
    );
    let rows: Vec<StepRow> = tx
        .fetch_all(AssertSqlSafe(sql), &params![id.0, pattern])
        .await?;
    rows.into_iter().map(StepExecution::try_from).collect()
}

/// Returns the managers and tasklets of an execution.
pub(crate) async fn own_steps(tx: &mut Tx, id: JobExecutionId) -> StoreResult<Vec<StepExecution>> {
    let sql = format!(
        "{STEP_SELECT} WHERE s.JOB_EXECUTION_ID = ? AND s.STEP_NAME NOT LIKE '%:%' \
         ORDER BY s.STEP_EXECUTION_ID"
    );
    let rows: Vec<StepRow> = tx.fetch_all(AssertSqlSafe(sql), &params![id.0]).await?;
    rows.into_iter().map(StepExecution::try_from).collect()
}

/// Returns a page of an execution's step executions.
pub(crate) async fn steps_page(
    tx: &mut Tx,
    id: JobExecutionId,
    after: i64,
    limit: u32,
) -> StoreResult<Vec<StepExecution>> {
    let sql = format!(
        "{STEP_SELECT} WHERE s.JOB_EXECUTION_ID = ? AND s.STEP_EXECUTION_ID > ? \
         ORDER BY s.STEP_EXECUTION_ID LIMIT ?"
    );
    let rows: Vec<StepRow> = tx
        .fetch_all(AssertSqlSafe(sql), &params![id.0, after, limit])
        .await?;
    rows.into_iter().map(StepExecution::try_from).collect()
}

/// Returns a step execution.
pub(crate) async fn step(tx: &mut Tx, id: StepExecutionId) -> StoreResult<Option<StepExecution>> {
    let sql = format!("{STEP_SELECT} WHERE s.STEP_EXECUTION_ID = ?");
    let row: Option<StepRow> = tx
        .fetch_optional(AssertSqlSafe(sql), &params![id.0])
        .await?;
    row.map(StepExecution::try_from).transpose()
}

/// Returns the newest row of each name that matches a `LIKE` pattern, over all executions of an
/// instance.
pub(crate) async fn newest_steps(
    tx: &mut Tx,
    instance: JobInstanceId,
    pattern: &str,
) -> StoreResult<Vec<StepExecution>> {
    let sql = format!(
        "{STEP_SELECT} JOIN (SELECT MAX(n.STEP_EXECUTION_ID) AS newest \
         FROM BATCH_STEP_EXECUTION n \
         JOIN BATCH_JOB_EXECUTION e ON e.JOB_EXECUTION_ID = n.JOB_EXECUTION_ID \
         WHERE e.JOB_INSTANCE_ID = ? AND n.STEP_NAME LIKE ? GROUP BY n.STEP_NAME) AS latest \
         ON latest.newest = s.STEP_EXECUTION_ID ORDER BY s.STEP_EXECUTION_ID"
    );
    let rows: Vec<StepRow> = tx
        .fetch_all(AssertSqlSafe(sql), &params![instance.0, pattern])
        .await?;
    rows.into_iter().map(StepExecution::try_from).collect()
}

/// Returns the context of a step execution.
pub(crate) async fn step_context(
    tx: &mut Tx,
    id: StepExecutionId,
) -> StoreResult<ExecutionContext> {
    let row: Option<(String, Option<String>)> = tx
        .fetch_optional(
            "SELECT SHORT_CONTEXT, SERIALIZED_CONTEXT FROM BATCH_STEP_EXECUTION_CONTEXT \
         WHERE STEP_EXECUTION_ID = ?",
            &params![id.0],
        )
        .await?;
    let (short, serialized) =
        row.ok_or_else(|| StoreError::Damaged(format!("step execution {id} has no context")))?;
    ExecutionContext::from_columns(&short, serialized.as_deref()).map_err(|error| {
        StoreError::Damaged(format!("invalid context of step execution {id}: {error}"))
    })
}

/// Sets the status of a job execution and increments its version. A final status sets the end time.
pub(crate) async fn set_job_status(
    tx: &mut Tx,
    id: JobExecutionId,
    status: BatchStatus,
    exit_code: &ExitCode,
    message: &str,
) -> StoreResult<()> {
    let now = tx.now();
    let end_time = (!status.is_running()).then_some(now);
    tx.execute(
        "UPDATE BATCH_JOB_EXECUTION SET VERSION = VERSION + 1, STATUS = ?, EXIT_CODE = ?, \
         EXIT_MESSAGE = ?, START_TIME = COALESCE(START_TIME, ?), END_TIME = ?, LAST_UPDATED = ? \
         WHERE JOB_EXECUTION_ID = ?",
        &params![
            status.name(),
            exit_code.as_str(),
            exit_message(message),
            now,
            end_time,
            now,
            id.0
        ],
    )
    .await?;
    Ok(())
}
