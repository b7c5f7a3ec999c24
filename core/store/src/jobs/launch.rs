//! Launching and restarting executions.

use crate::{
    Store,
    jobs::{
        JobError,
        close::{LeaseScope, close_steps},
        date_lock::{self, check_newest, lock_date, subject},
        insert::{insert_execution, insert_instance, insert_trace, next_run_id},
        rows,
    },
    operations::{Actor, AuditAction, audit},
    settlement::days::first_unsettled_day,
    sql::{retry::on_conflict, statement::params, tx::Tx},
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId, JobInstanceId, StepExecutionId},
    job::Job,
    status::BatchStatus,
    trace::TraceParent,
};
use chrono::NaiveDate;

/// A launched execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launched {
    pub id: JobExecutionId,
    /// Whether the execution restarts an instance whose last execution stopped or failed.
    pub is_restart: bool,
}

/// On whose behalf a date is launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaunchedBy {
    /// An operator, by the API or the command line: may launch a first instance, restart, or launch
    /// a new instance after an abandoned one.
    Operator(Actor),
    /// The schedule: may launch a first instance only.
    Schedule,
}

impl Store {
    /// Launches a date: its first instance, a restart of a stopped or failed one, or a new instance
    /// after an abandoned one. The schedule may launch first instances only. `trace` is stored for
    /// the workers of the execution.
    ///
    /// # Errors
    /// If the executions of the date do not allow a launch, an earlier day is unsettled, or the store
    /// fails.
    pub async fn launch(
        &self,
        job: Job,
        date: NaiveDate,
        by: &LaunchedBy,
        trace: Option<&TraceParent>,
    ) -> Result<Launched, JobError> {
        on_conflict(|| launch(self, job, date, by, trace)).await
    }

    /// Restarts a stopped or failed execution. Quarantined partitions stay FAILED, except `retry`.
    ///
    /// # Errors
    /// If the execution cannot be restarted, an earlier day is unsettled, `retry` is not a failed
    /// partition of the execution, or the store fails.
    pub async fn restart(
        &self,
        id: JobExecutionId,
        retry: Option<StepExecutionId>,
        by: &Actor,
        trace: Option<&TraceParent>,
    ) -> Result<Launched, JobError> {
        on_conflict(|| restart(self, id, retry, by, trace)).await
    }
}

/// The kind of launch that the executions of a date allow.
enum Launch {
    First,
    AfterAbandoned,
    Restart(JobInstanceId),
}

async fn launch(
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
    check_order(&mut tx, date).await?;
    close_ended(&mut tx, &executions).await?;
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
    insert_trace(&mut tx, launched.id, trace).await?;
    if let LaunchedBy::Operator(actor) = by {
        let subject = subject(launched.id, date);
        audit::record(&mut tx, actor, AuditAction::Launch, &subject).await?;
    }
    tx.commit().await?;
    Ok(launched)
}

/// Decides which kind of launch is allowed. A date is settled if any of its instances is COMPLETED.
/// While an execution runs, no other can be launched. A new instance requires that the earlier ones
/// are abandoned. `executions` begins with the newest.
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
        let (execution, status) = (running.id, running.status);
        return Err(if running.is_foreign {
            JobError::ForeignRunning {
                date,
                execution,
                status,
            }
        } else {
            JobError::AlreadyRunning {
                date,
                execution,
                status,
            }
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

async fn restart(
    store: &Store,
    id: JobExecutionId,
    retry: Option<StepExecutionId>,
    by: &Actor,
    trace: Option<&TraceParent>,
) -> Result<Launched, JobError> {
    let mut tx = store.db.write().await?;
    let execution = date_lock::execution(&mut tx, id).await?;
    lock_date(&mut tx, execution.job, execution.date).await?;
    let executions = rows::jobs_of_date(&mut tx, execution.job, execution.date).await?;
    check_newest(&execution, &executions)?;
    match decide(execution.job, execution.date, &executions)? {
        Launch::Restart(instance) => {
            check_order(&mut tx, execution.date).await?;
            close_ended(&mut tx, &executions).await?;
            if let Some(step) = retry {
                release_quarantine(&mut tx, id, step).await?;
            }
            let run_id = run_id_of(&executions);
            let id = insert_execution(&mut tx, instance, execution.date, run_id).await?;
            insert_trace(&mut tx, id, trace).await?;
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

/// Closes the steps that another program left running in the newest execution of a date, which has
/// ended. Workers that still own one of them lose it. `executions` begins with the newest.
async fn close_ended(tx: &mut Tx, executions: &[JobExecution]) -> Result<(), JobError> {
    let Some(newest) = executions.first() else {
        return Ok(());
    };
    let lock = tx.for_update();
    if let Some(execution) = rows::job(tx, newest.id, lock).await? {
        close_steps(tx, &execution, LeaseScope::All).await?;
    }
    Ok(())
}

/// Rejects a date after an unsettled day. Days settle in order, because an earlier day that is not
/// closed can still receive plays.
async fn check_order(tx: &mut Tx, date: NaiveDate) -> Result<(), JobError> {
    match first_unsettled_day(tx).await? {
        Some(earlier) if earlier < date => Err(JobError::EarlierDayUnsettled { earlier }),
        _ => Ok(()),
    }
}

/// Releases a partition from quarantine, so that the restart runs it with a crash count of 0.
async fn release_quarantine(
    tx: &mut Tx,
    execution: JobExecutionId,
    id: StepExecutionId,
) -> Result<(), JobError> {
    let not_retryable = |reason| JobError::NotRetryable { id, reason };
    let step = rows::step(tx, id).await?.ok_or(JobError::NoSuchStep(id))?;
    if step.job_execution_id != execution || step.name.partition.is_none() {
        return Err(not_retryable(
            "is not a partition of the newest execution of its date",
        ));
    }
    if step.status != BatchStatus::Failed {
        return Err(not_retryable("has not failed"));
    }
    tx.execute(
        "DELETE FROM step_quarantine WHERE step_execution_id = ?",
        &params![id.0],
    )
    .await?;
    Ok(())
}

fn run_id_of(executions: &[JobExecution]) -> i64 {
    executions.first().and_then(|one| one.run_id).unwrap_or(0)
}
