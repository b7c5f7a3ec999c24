//! Launching and restarting executions.

use crate::{
    Store, StoreResult,
    jobs::{JobError, Launched, LaunchedBy, rows},
    operations::{Actor, AuditAction, audit},
    sql::{dialect::Sequence, statement::params, tx::Tx},
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId, JobInstanceId, StepExecutionId},
    job::Job,
    parameters::JobParameters,
    spring::{context::ExecutionContext, key::JobKey},
    status::{BatchStatus, ExitCode},
    trace::TraceParent,
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// What may be done with a date, given its executions.
enum Launch {
    First,
    AfterAbandoned,
    Restart(JobInstanceId),
}

pub(crate) async fn launch(
    store: &Store,
    job: Job,
    date: NaiveDate,
    by: &LaunchedBy,
    trace: Option<&TraceParent>,
) -> Result<Launched, JobError> {
    let mut tx = store.db.write().await?;
    lock_date(&mut tx, job, date).await?;
    let executions = rows::jobs_of_date(&mut tx, job, date).await?;
    let decision = decide(job, date, &executions)?;
    if *by == LaunchedBy::Schedule
        && let Some(newest) = executions.first()
    {
        return Err(JobError::InstanceExists {
            date,
            execution: newest.id,
            status: newest.status,
        });
    }
    in_order(&mut tx, date).await?;
    let launched = match decision {
        Launch::Restart(instance) => Launched {
            id: insert_execution(&mut tx, instance, date, run_id_of(&executions)).await?,
            is_restart: true,
        },
        fresh @ (Launch::First | Launch::AfterAbandoned) => {
            let run_id = match fresh {
                Launch::AfterAbandoned => next_run_id(&mut tx, job, date).await?,
                _ => 0,
            };
            let instance = insert_instance(&mut tx, job, date, run_id).await?;
            Launched {
                id: insert_execution(&mut tx, instance, date, run_id).await?,
                is_restart: false,
            }
        }
    };
    keep_trace(&mut tx, launched.id, trace).await?;
    if let LaunchedBy::Person(actor) = by {
        let subject = subject(launched.id, date);
        audit::record(&mut tx, actor, AuditAction::Launch, &subject).await?;
    }
    tx.commit().await?;
    Ok(launched)
}

/// A date is settled when any instance of it is COMPLETED; nothing is launched while anything of
/// it runs, nor beside another instance that is not abandoned. Executions come newest first.
fn decide(job: Job, date: NaiveDate, executions: &[JobExecution]) -> Result<Launch, JobError> {
    let with = |status: BatchStatus| executions.iter().find(|one| one.status == status);
    if let Some(done) = with(BatchStatus::Completed) {
        return Err(JobError::AlreadyComplete {
            job,
            date,
            execution: done.id,
        });
    }
    if let Some(running) = executions.iter().find(|one| one.status.is_running()) {
        return Err(JobError::AlreadyRunning {
            date,
            execution: running.id,
            status: running.status,
        });
    }
    let Some(newest) = executions.first() else {
        return Ok(Launch::First);
    };
    match newest.status {
        BatchStatus::Abandoned => Ok(Launch::AfterAbandoned),
        BatchStatus::Unknown => Err(JobError::Unknown {
            execution: newest.id,
        }),
        _ => Ok(Launch::Restart(newest.instance_id)),
    }
}

pub(crate) async fn restart(
    store: &Store,
    id: JobExecutionId,
    retry: Option<StepExecutionId>,
    by: &Actor,
    trace: Option<&TraceParent>,
) -> Result<Launched, JobError> {
    let mut tx = store.db.write().await?;
    let execution = found(&mut tx, id).await?;
    lock_date(&mut tx, execution.job, execution.date).await?;
    let executions = rows::jobs_of_date(&mut tx, execution.job, execution.date).await?;
    newest_of_date(&execution, &executions)?;
    match decide(execution.job, execution.date, &executions)? {
        Launch::Restart(instance) => {
            in_order(&mut tx, execution.date).await?;
            if let Some(step) = retry {
                release_quarantine(&mut tx, id, step).await?;
            }
            let run_id = run_id_of(&executions);
            let id = insert_execution(&mut tx, instance, execution.date, run_id).await?;
            keep_trace(&mut tx, id, trace).await?;
            let subject = subject(id, execution.date);
            match retry {
                None => audit::record(&mut tx, by, AuditAction::Restart, &subject).await?,
                Some(step) => {
                    let subject = format!("step {step}, now {subject}");
                    audit::record(&mut tx, by, AuditAction::Retry, &subject).await?;
                }
            }
            tx.commit().await?;
            Ok(Launched {
                id,
                is_restart: true,
            })
        }
        Launch::First | Launch::AfterAbandoned => Err(JobError::NotRestartable {
            execution: id,
            status: execution.status,
        }),
    }
}

/// Those who work an execution go on in the trace that it was launched in.
async fn keep_trace(
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

/// Days settle in order: before a day is closed, plays of an earlier one can still arrive.
async fn in_order(tx: &mut Tx, date: NaiveDate) -> Result<(), JobError> {
    match crate::settlement::days::first_unsettled_day(tx).await? {
        Some(earlier) if earlier < date => Err(JobError::EarlierDayUnsettled { earlier }),
        _ => Ok(()),
    }
}

/// Lets a restart run a quarantined partition again, with its crash count at 0.
async fn release_quarantine(
    tx: &mut Tx,
    execution: JobExecutionId,
    id: StepExecutionId,
) -> Result<(), JobError> {
    let refused = |reason| JobError::NotRetryable { id, reason };
    let step = rows::step(tx, id).await?.ok_or(JobError::NoSuchStep(id))?;
    if step.job_execution_id != execution || step.name.partition.is_none() {
        return Err(refused(
            "is no partition of the newest execution of its date",
        ));
    }
    if step.status != BatchStatus::Failed {
        return Err(refused("has not failed"));
    }
    tx.execute(
        "DELETE FROM step_quarantine WHERE step_execution_id = ?",
        &params![id.0],
    )
    .await?;
    Ok(())
}

pub(crate) fn newest_of_date(
    execution: &JobExecution,
    executions: &[JobExecution],
) -> Result<(), JobError> {
    match executions.first() {
        Some(newest) if newest.id != execution.id => Err(JobError::NotNewest {
            date: execution.date,
            execution: execution.id,
            newest: newest.id,
        }),
        _ => Ok(()),
    }
}

/// What an action is about, in the audit.
pub(crate) fn subject(id: JobExecutionId, date: NaiveDate) -> String {
    format!("execution {id} of {date}")
}

fn run_id_of(executions: &[JobExecution]) -> i64 {
    executions.first().and_then(|one| one.run_id).unwrap_or(0)
}

pub(crate) async fn found(tx: &mut Tx, id: JobExecutionId) -> Result<JobExecution, JobError> {
    rows::job(tx, id, "")
        .await?
        .ok_or(JobError::NoSuchExecution(id))
}

/// Makes the date's row and locks it: two launches of one date come one after the other.
pub(crate) async fn lock_date(tx: &mut Tx, job: Job, date: NaiveDate) -> StoreResult<()> {
    let keep = tx.on_conflict_keep("job_name, date");
    tx.execute(
        AssertSqlSafe(format!(
            "INSERT INTO job_date (job_name, date) VALUES (?, ?){keep}"
        )),
        &params![job.name(), date],
    )
    .await?;
    let lock = tx.for_update();
    let _: Vec<(String,)> = tx
        .fetch_all(
            AssertSqlSafe(format!(
                "SELECT job_name FROM job_date WHERE job_name = ? AND date = ?{lock}"
            )),
            &params![job.name(), date],
        )
        .await?;
    Ok(())
}

async fn next_run_id(tx: &mut Tx, job: Job, date: NaiveDate) -> StoreResult<i64> {
    let row: Option<(i64,)> = tx.fetch_optional("SELECT COALESCE(MAX(run_id), 0) FROM job_date_instance WHERE job_name = ? AND date = ?", &params![job.name(), date]).await?;
    Ok(row.map_or(1, |(last,)| last + 1))
}

/// `run_id` 0 is the date's first instance, which carries no `run.id`.
async fn insert_instance(
    tx: &mut Tx,
    job: Job,
    date: NaiveDate,
    run_id: i64,
) -> StoreResult<JobInstanceId> {
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

async fn insert_execution(
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
