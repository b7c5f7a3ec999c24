//! Claiming step executions: partitions and tasklets.

use crate::{
    Store, StoreError, StoreResult,
    claims::{
        expiry::record_expiry,
        lease::{lease_end, partition_state},
    },
    jobs::rows,
    sql::{retry::on_conflict, statement::params, statuses, tx::Tx},
};
use balance_batch::{
    chunk::{Claim, ClaimToken},
    execution::{JobExecution, JobExecutionId, StepExecutionId, exit_message},
    partition::PartitionState,
    status::{BatchStatus, ExitCode},
    step::StepExecution,
    trace::TraceParent,
};
use sqlx::AssertSqlSafe;

/// The number of crashes at one cursor that quarantines a partition.
const MAX_CRASHES: i64 = 3;

/// The outcome of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The worker owns the step execution.
    Owned(Box<Claim>),
    /// Another worker owns it, it has ended, or its job execution is not STARTED.
    NotClaimable,
    /// The step execution was failed, because its workers crashed three times at one cursor or its
    /// context is invalid.
    Failed {
        /// The job execution, which the caller must advance.
        job_execution_id: JobExecutionId,
        /// The stored exit message.
        reason: String,
    },
}

/// A row of `step_lease`.
#[derive(sqlx::FromRow)]
struct LeaseRow {
    claim_token: Option<i64>,
    lease_until_micros: i64,
}

impl Store {
    /// Returns at most `limit` step executions that can be claimed now.
    pub async fn claimable(&self, limit: u32) -> StoreResult<Vec<StepExecutionId>> {
        let started = statuses::literal(BatchStatus::Started);
        let mut tx = self.db.read().await?;
        let now_micros = tx.now_micros().await?;
        // Without ORDER BY: the index returns rows that were never claimed first, and a sort would
        // read all partitions for each call.
        let rows: Vec<(i64,)> = tx
            .fetch_all(
                AssertSqlSafe(format!(
                    "SELECT l.step_execution_id FROM BATCH_JOB_EXECUTION e \
                     JOIN step_lease l ON l.job_execution_id = e.JOB_EXECUTION_ID \
                     WHERE e.STATUS = {started} AND l.lease_until_micros <= ? LIMIT ?"
                )),
                &params![now_micros, limit],
            )
            .await?;
        Ok(rows.into_iter().map(|(id,)| StepExecutionId(id)).collect())
    }

    /// Claims a step execution without an owner or with an expired lease. The lease ends `lease_s`
    /// seconds from now, by the database's clock.
    pub async fn claim(
        &self,
        id: StepExecutionId,
        token: ClaimToken,
        worker: &str,
        lease_s: u32,
    ) -> StoreResult<Claimed> {
        on_conflict(|| claim(self, id, token, worker, lease_s)).await
    }
}

async fn claim(
    store: &Store,
    id: StepExecutionId,
    token: ClaimToken,
    worker: &str,
    lease_s: u32,
) -> StoreResult<Claimed> {
    let mut tx = store.db.write().await?;
    let Some((execution, step, lease, trace)) = lock_claimable(&mut tx, id).await? else {
        return Ok(Claimed::NotClaimable);
    };
    let state = match partition_state(&mut tx, &step).await {
        Ok(state) => state,
        Err(StoreError::Damaged(reason)) => {
            return fail_row(tx, &execution, &step, reason, false).await;
        }
        Err(error) => return Err(error),
    };
    if let Some(dead) = lease.claim_token {
        let cursor = state.map_or(0, |state| state.cursor);
        let crashes = record_expiry(&mut tx, id, cursor, dead).await?;
        if crashes >= MAX_CRASHES {
            let position = match state {
                Some(state) if state.cursor > i64::MIN => format!("after video {cursor}"),
                _ => "at the beginning".to_owned(),
            };
            let reason = format!(
                "quarantined: its workers crashed {crashes} times {position}; \
                 fix the cause, then retry the partition"
            );
            return fail_row(tx, &execution, &step, reason, true).await;
        }
    }
    let mut claim = take_lease(&mut tx, &execution, step, state, token, worker, lease_s).await?;
    claim.trace = trace;
    tx.commit().await?;
    Ok(Claimed::Owned(Box::new(claim)))
}

/// A claimable step execution with its execution, its lease and the trace of the launch.
type ClaimableRow = (JobExecution, StepExecution, LeaseRow, Option<TraceParent>);

/// Locks a step execution if it can be claimed: its execution is STARTED, and it has no owner or its
/// lease has expired. The execution is locked before the step execution.
async fn lock_claimable(tx: &mut Tx, id: StepExecutionId) -> StoreResult<Option<ClaimableRow>> {
    let owner: Option<(i64, Option<String>)> = tx
        .fetch_optional(
            "SELECT l.job_execution_id, t.traceparent FROM step_lease l \
         LEFT JOIN job_execution_trace t ON t.job_execution_id = l.job_execution_id \
         WHERE l.step_execution_id = ?",
            &params![id.0],
        )
        .await?;
    let Some((job_execution_id, trace)) = owner else {
        return Ok(None);
    };
    let lock = tx.for_share();
    let execution = rows::job(tx, JobExecutionId(job_execution_id), lock).await?;
    let Some(execution) = execution.filter(|one| one.status == BatchStatus::Started) else {
        return Ok(None);
    };
    let lock = tx.for_update_skip_locked();
    let lease: Option<LeaseRow> = tx
        .fetch_optional(
            AssertSqlSafe(format!(
                "SELECT claim_token, lease_until_micros FROM step_lease \
             WHERE step_execution_id = ?{lock}"
            )),
            &params![id.0],
        )
        .await?;
    let now_micros = tx.now_micros().await?;
    let Some(lease) = lease.filter(|lease| lease.lease_until_micros <= now_micros) else {
        return Ok(None);
    };
    let step = rows::step(tx, id).await?.ok_or_else(|| {
        StoreError::Damaged(format!("step execution {id} has a lease but no row"))
    })?;
    let trace = trace.as_deref().and_then(TraceParent::parse);
    Ok(Some((execution, step, lease, trace)))
}

/// Starts the step execution and gives the worker its lease.
async fn take_lease(
    tx: &mut Tx,
    execution: &JobExecution,
    step: StepExecution,
    state: Option<PartitionState>,
    token: ClaimToken,
    worker: &str,
    lease_s: u32,
) -> StoreResult<Claim> {
    let now = tx.now();
    let lease_until = lease_end(tx.now_micros().await?, lease_s);
    tx.execute(
        "UPDATE BATCH_STEP_EXECUTION SET VERSION = VERSION + 1, STATUS = ?, \
         START_TIME = COALESCE(START_TIME, ?), LAST_UPDATED = ? WHERE STEP_EXECUTION_ID = ?",
        &params![BatchStatus::Started.name(), now, now, step.id.0],
    )
    .await?;
    tx.execute(
        "UPDATE step_lease SET claim_token = ?, worker = ?, lease_until_micros = ? \
         WHERE step_execution_id = ?",
        &params![token.0, worker, lease_until, step.id.0],
    )
    .await?;
    Ok(Claim {
        step_execution_id: step.id,
        job_execution_id: execution.id,
        job_instance_id: execution.instance_id,
        date: execution.date,
        name: step.name,
        token,
        version: step.version + 1,
        state,
        trace: None,
        started_at: step.start_time.unwrap_or(now),
    })
}

/// Fails a step execution that cannot be processed.
async fn fail_row(
    mut tx: Tx,
    execution: &JobExecution,
    step: &StepExecution,
    reason: String,
    quarantine: bool,
) -> StoreResult<Claimed> {
    let now = tx.now();
    let reason = exit_message(&reason);
    tx.execute(
        "UPDATE BATCH_STEP_EXECUTION SET VERSION = VERSION + 1, STATUS = ?, \
         EXIT_CODE = ?, EXIT_MESSAGE = ?, END_TIME = ?, LAST_UPDATED = ? \
         WHERE STEP_EXECUTION_ID = ?",
        &params![
            BatchStatus::Failed.name(),
            ExitCode::FAILED.as_str(),
            reason.as_str(),
            now,
            now,
            step.id.0
        ],
    )
    .await?;
    tx.execute(
        "DELETE FROM step_lease WHERE step_execution_id = ?",
        &params![step.id.0],
    )
    .await?;
    if quarantine {
        tx.execute(
            "INSERT INTO step_quarantine (step_execution_id, reason) VALUES (?, ?)",
            &params![step.id.0, reason.as_str()],
        )
        .await?;
    }
    tx.commit().await?;
    Ok(Claimed::Failed {
        job_execution_id: execution.id,
        reason,
    })
}
