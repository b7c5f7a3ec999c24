//! The job tables: instances, executions, steps, contexts, leases.

use crate::{
    Store, StoreResult,
    sql::{statement::params, tx::Tx},
    verification::{
        CounterFacts, ExecutionFacts, InstanceFacts, ParameterFacts, RunFacts, StepFacts,
    },
};
use balance_batch::{
    execution::{JobExecutionId, JobInstanceId},
    job::Job,
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

impl Store {
    /// Returns the job instances of a date.
    pub async fn instances(&self, date: NaiveDate) -> StoreResult<Vec<InstanceFacts>> {
        let mut tx = self.db.snapshot().await?;
        let instances = instances(&mut tx, date).await?;
        tx.rollback().await?;
        Ok(instances)
    }

    /// Returns an execution with its parameters, contexts, steps and leases.
    pub async fn execution_facts(&self, id: JobExecutionId) -> StoreResult<Option<ExecutionFacts>> {
        let mut tx = self.db.snapshot().await?;
        let execution = execution(&mut tx, id).await?;
        tx.rollback().await?;
        Ok(execution)
    }
}

async fn instances(tx: &mut Tx, date: NaiveDate) -> StoreResult<Vec<InstanceFacts>> {
    let rows: Vec<(i64, i64, String, String)> = tx
        .fetch_all(
            "SELECT d.job_instance_id, d.run_id, i.JOB_NAME, i.JOB_KEY FROM job_date_instance d \
         JOIN BATCH_JOB_INSTANCE i ON i.JOB_INSTANCE_ID = d.job_instance_id \
         WHERE d.job_name = ? AND d.date = ? ORDER BY d.run_id",
            &params![Job::DayStatistics.name(), date],
        )
        .await?;
    let mut instances = Vec::with_capacity(rows.len());
    for (id, run_id, job_name, job_key) in rows {
        let executions: Vec<(i64,)> = tx
            .fetch_all(
                "SELECT JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION WHERE JOB_INSTANCE_ID = ? \
             ORDER BY JOB_EXECUTION_ID",
                &params![id],
            )
            .await?;
        let (skipped,): (i64,) = tx
            .fetch_one(
                "SELECT COUNT(*) FROM rejected_item WHERE job_instance_id = ?",
                &params![id],
            )
            .await?;
        instances.push(InstanceFacts {
            id: JobInstanceId(id),
            job_name,
            job_key,
            run_id,
            executions: executions
                .into_iter()
                .map(|(id,)| JobExecutionId(id))
                .collect(),
            skipped,
        });
    }
    Ok(instances)
}

/// The columns that an execution and a step execution share.
#[derive(sqlx::FromRow)]
struct Run {
    has_version: i64,
    status: Option<String>,
    exit_code: Option<String>,
    has_start: i64,
    has_end: i64,
    has_update: i64,
    short_context: Option<String>,
    serialized_context: Option<String>,
}

/// The columns of [`Run`] for the table `x` and its context `c`.
const RUN: &str = "CASE WHEN x.VERSION IS NULL THEN 0 ELSE 1 END AS has_version, \
     x.STATUS AS status, x.EXIT_CODE AS exit_code, \
     CASE WHEN x.START_TIME IS NULL THEN 0 ELSE 1 END AS has_start, \
     CASE WHEN x.END_TIME IS NULL THEN 0 ELSE 1 END AS has_end, \
     CASE WHEN x.LAST_UPDATED IS NULL THEN 0 ELSE 1 END AS has_update, \
     c.SHORT_CONTEXT AS short_context, c.SERIALIZED_CONTEXT AS serialized_context";

impl From<Run> for RunFacts {
    fn from(row: Run) -> Self {
        Self {
            has_version: row.has_version != 0,
            status: row.status,
            exit_code: row.exit_code,
            has_start: row.has_start != 0,
            has_end: row.has_end != 0,
            has_update: row.has_update != 0,
            // The column is NOT NULL, so NULL means that there is no row.
            context: row
                .short_context
                .map(|short| (short, row.serialized_context)),
        }
    }
}

#[derive(sqlx::FromRow)]
struct StepRow {
    step_execution_id: i64,
    step_name: String,
    #[sqlx(flatten)]
    run: Run,
    commit_count: Option<i64>,
    read_count: Option<i64>,
    filter_count: Option<i64>,
    write_count: Option<i64>,
    read_skip_count: Option<i64>,
    write_skip_count: Option<i64>,
    process_skip_count: Option<i64>,
    rollback_count: Option<i64>,
    lease: Option<i64>,
}

impl StepRow {
    const fn counters(&self) -> CounterFacts {
        [
            self.commit_count,
            self.read_count,
            self.filter_count,
            self.write_count,
            self.read_skip_count,
            self.write_skip_count,
            self.process_skip_count,
            self.rollback_count,
        ]
    }
}

impl From<StepRow> for StepFacts {
    fn from(row: StepRow) -> Self {
        let counters = row.counters();
        Self {
            id: row.step_execution_id,
            name: row.step_name,
            run: row.run.into(),
            counters,
            has_lease: row.lease.is_some(),
        }
    }
}

async fn execution(tx: &mut Tx, id: JobExecutionId) -> StoreResult<Option<ExecutionFacts>> {
    let run: Option<Run> = tx
        .fetch_optional(
            AssertSqlSafe(format!(
                "SELECT {RUN} FROM BATCH_JOB_EXECUTION x LEFT JOIN BATCH_JOB_EXECUTION_CONTEXT c \
             ON c.JOB_EXECUTION_ID = x.JOB_EXECUTION_ID WHERE x.JOB_EXECUTION_ID = ?"
            )),
            &params![id.0],
        )
        .await?;
    let Some(run) = run else { return Ok(None) };
    let (launches,): (i64,) = tx
        .fetch_one(
            "SELECT COUNT(*) FROM job_execution_launch WHERE job_execution_id = ?",
            &params![id.0],
        )
        .await?;
    let steps: Vec<StepRow> = tx
        .fetch_all(
            AssertSqlSafe(format!(
                "SELECT x.STEP_EXECUTION_ID AS step_execution_id, x.STEP_NAME AS step_name, {RUN}, \
             x.COMMIT_COUNT AS commit_count, x.READ_COUNT AS read_count, \
             x.FILTER_COUNT AS filter_count, x.WRITE_COUNT AS write_count, \
             x.READ_SKIP_COUNT AS read_skip_count, x.WRITE_SKIP_COUNT AS write_skip_count, \
             x.PROCESS_SKIP_COUNT AS process_skip_count, x.ROLLBACK_COUNT AS rollback_count, \
             l.step_execution_id AS lease FROM BATCH_STEP_EXECUTION x \
             LEFT JOIN BATCH_STEP_EXECUTION_CONTEXT c \
             ON c.STEP_EXECUTION_ID = x.STEP_EXECUTION_ID \
             LEFT JOIN step_lease l ON l.step_execution_id = x.STEP_EXECUTION_ID \
             WHERE x.JOB_EXECUTION_ID = ? ORDER BY x.STEP_EXECUTION_ID"
            )),
            &params![id.0],
        )
        .await?;
    Ok(Some(ExecutionFacts {
        id,
        is_foreign: launches == 0,
        run: run.into(),
        parameters: parameters(tx, id).await?,
        steps: steps.into_iter().map(StepFacts::from).collect(),
        orphaned_leases: orphaned_leases(tx, id).await?,
    }))
}

async fn parameters(tx: &mut Tx, id: JobExecutionId) -> StoreResult<Vec<ParameterFacts>> {
    let rows: Vec<(String, String, Option<String>, String)> = tx
        .fetch_all(
            "SELECT PARAMETER_NAME, PARAMETER_TYPE, PARAMETER_VALUE, IDENTIFYING \
         FROM BATCH_JOB_EXECUTION_PARAMS WHERE JOB_EXECUTION_ID = ? ORDER BY PARAMETER_NAME",
            &params![id.0],
        )
        .await?;
    Ok(rows
        .into_iter()
        .map(|(name, class, value, identifying)| ParameterFacts {
            name,
            class,
            value,
            identifying,
        })
        .collect())
}

async fn orphaned_leases(tx: &mut Tx, id: JobExecutionId) -> StoreResult<Vec<i64>> {
    let rows: Vec<(i64,)> = tx
        .fetch_all(
            "SELECT l.step_execution_id FROM step_lease l \
         LEFT JOIN BATCH_STEP_EXECUTION s ON s.STEP_EXECUTION_ID = l.step_execution_id \
         AND s.JOB_EXECUTION_ID = l.job_execution_id \
         WHERE l.job_execution_id = ? AND s.STEP_EXECUTION_ID IS NULL \
         ORDER BY l.step_execution_id",
            &params![id.0],
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
