//! Rows of the job tables, read and written.

use crate::{
    StoreError, StoreResult,
    sql::{dialect::Sequence, statement::params, tx::Tx},
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
}

const JOB_SELECT: &str = "SELECT e.JOB_EXECUTION_ID AS job_execution_id, \
     e.JOB_INSTANCE_ID AS job_instance_id, d.job_name AS job_name, d.date AS date, \
     d.run_id AS run_id, e.STATUS AS status, e.EXIT_CODE AS exit_code, \
     e.EXIT_MESSAGE AS exit_message, e.CREATE_TIME AS create_time, e.START_TIME AS start_time, \
     e.END_TIME AS end_time \
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
        })
    }
}

/// A step execution.
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

/// Reads a status word.
pub(crate) fn status(word: Option<String>) -> StoreResult<BatchStatus> {
    let word = word.ok_or_else(|| StoreError::Damaged("a status is NULL".to_owned()))?;
    word.parse()
        .map_err(|error: balance_batch::status::BatchStatusError| {
            StoreError::Damaged(error.to_string())
        })
}

/// One execution, with its row locked if `lock` says so (the end of a SELECT).
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

/// Every execution of a date, newest first.
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

/// The newest executions.
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

/// The step executions of an execution with one name, or whose names begin with one (`%` at the
/// end), in the order of their ids.
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

/// The rows of an execution's steps, without partitions.
pub(crate) async fn own_steps(tx: &mut Tx, id: JobExecutionId) -> StoreResult<Vec<StepExecution>> {
    let sql = format!(
        "{STEP_SELECT} WHERE s.JOB_EXECUTION_ID = ? AND s.STEP_NAME NOT LIKE '%:%' \
         ORDER BY s.STEP_EXECUTION_ID"
    );
    let rows: Vec<StepRow> = tx.fetch_all(AssertSqlSafe(sql), &params![id.0]).await?;
    rows.into_iter().map(StepExecution::try_from).collect()
}

/// A page of an execution's step executions.
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

/// One step execution.
pub(crate) async fn step(tx: &mut Tx, id: StepExecutionId) -> StoreResult<Option<StepExecution>> {
    let sql = format!("{STEP_SELECT} WHERE s.STEP_EXECUTION_ID = ?");
    let row: Option<StepRow> = tx
        .fetch_optional(AssertSqlSafe(sql), &params![id.0])
        .await?;
    row.map(StepExecution::try_from).transpose()
}

/// The newest row of each name that matches, over every execution of an instance.
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

/// A new step execution row.
pub(crate) struct NewStep {
    pub(crate) name: StepName,
    pub(crate) status: BatchStatus,
    pub(crate) exit_code: ExitCode,
    pub(crate) exit_message: String,
    pub(crate) context: ExecutionContext,
    /// Whether it is work to be claimed: a partition or a tasklet.
    pub(crate) is_claimable: bool,
}

/// Inserts step executions with their contexts, and a lease row for each that is to be claimed;
/// answers their ids in order.
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
            // A manager is at work from the start; a row that is born failed has ended.
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

/// A step execution's context.
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
        StoreError::Damaged(format!("the context of step execution {id}: {error}"))
    })
}

/// Sets a job execution's status; ended ones get their end time. Raises its version.
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
