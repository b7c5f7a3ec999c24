//! Claims, takeovers and leases.

use crate::{
    Store, StoreError, StoreResult,
    claims::{Claimed, Reloaded},
    jobs::rows,
    sql::{statement::params, tx::Tx},
};
use balance_batch::{
    chunk::{Claim, ClaimToken},
    execution::{JobExecution, JobExecutionId, StepExecutionId, exit_message},
    partition::PartitionState,
    status::BatchStatus,
    step::StepExecution,
    trace::TraceParent,
};
use sqlx::AssertSqlSafe;

/// So many crashes at one cursor quarantine a partition.
const MAX_CRASHES: i64 = 3;

pub(crate) const MICROS_PER_S: i64 = 1_000_000;

/// A lease's row.
#[derive(sqlx::FromRow)]
struct LeaseRow {
    claim_token: Option<i64>,
    lease_until_micros: i64,
}

pub(crate) fn lease_end(now_micros: i64, lease_s: u32) -> i64 {
    now_micros.saturating_add(i64::from(lease_s) * MICROS_PER_S)
}

pub(crate) async fn claimable(store: &Store, limit: u32) -> StoreResult<Vec<StepExecutionId>> {
    let mut tx = store.db.read().await?;
    let now_micros = tx.now_micros().await?;
    // Without an order: the index gives those that nobody has had first, and a sort would read all
    // partitions for each few that are asked for.
    let rows: Vec<(i64,)> = tx
        .fetch_all(
            "SELECT l.step_execution_id FROM BATCH_JOB_EXECUTION e \
         JOIN step_lease l ON l.job_execution_id = e.JOB_EXECUTION_ID \
         WHERE e.STATUS = 'STARTED' AND l.lease_until_micros <= ? LIMIT ?",
            &params![now_micros, limit],
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| StepExecutionId(id)).collect())
}

pub(crate) async fn claim(
    store: &Store,
    id: StepExecutionId,
    token: ClaimToken,
    worker: &str,
    lease_s: u32,
) -> StoreResult<Claimed> {
    let mut tx = store.db.write().await?;
    let Some((execution, step, lease, trace)) = free_row(&mut tx, id).await? else {
        return Ok(Claimed::NotClaimable);
    };
    let state = match partition_state(&mut tx, &step).await {
        Ok(state) => state,
        Err(StoreError::Damaged(reason)) => {
            return fail(tx, &execution, &step, reason, false).await;
        }
        Err(error) => return Err(error),
    };
    if let Some(dead) = lease.claim_token {
        let cursor = state.map_or(0, |state| state.cursor);
        let crashes = record_expiry(&mut tx, id, cursor, dead).await?;
        if crashes >= MAX_CRASHES {
            let place = match state {
                Some(state) if state.cursor > i64::MIN => format!("after video {cursor}"),
                _ => "at the beginning".to_owned(),
            };
            let reason = format!(
                "quarantined: its workers crashed {crashes} times {place}; \
                 retry it when the cause is mended"
            );
            return fail(tx, &execution, &step, reason, true).await;
        }
    }
    let mut claim = take(&mut tx, &execution, step, state, token, worker, lease_s).await?;
    claim.trace = trace;
    tx.commit().await?;
    Ok(Claimed::Ours(Box::new(claim)))
}

/// What can be claimed, and where its execution stands in a trace.
type FreeRow = (JobExecution, StepExecution, LeaseRow, Option<TraceParent>);

/// Locks what can be claimed: a row that nobody holds, or whose lease has run out, of an execution
/// that is STARTED. The execution comes before its partition, as everywhere.
async fn free_row(tx: &mut Tx, id: StepExecutionId) -> StoreResult<Option<FreeRow>> {
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
        StoreError::Damaged(format!("step execution {id} has a lease and no row"))
    })?;
    let trace = trace.as_deref().and_then(TraceParent::parse);
    Ok(Some((execution, step, lease, trace)))
}

async fn partition_state(tx: &mut Tx, step: &StepExecution) -> StoreResult<Option<PartitionState>> {
    if step.name.partition.is_none() {
        return Ok(None);
    }
    let context = rows::step_context(tx, step.id).await?;
    Ok(Some(PartitionState::from_context(&context)?))
}

/// Writes down that a claim ran out at a cursor; answers how many have.
async fn record_expiry(
    tx: &mut Tx,
    id: StepExecutionId,
    cursor: i64,
    token: i64,
) -> StoreResult<i64> {
    let keep = tx.on_conflict_keep("step_execution_id, cursor_video_id, claim_token");
    tx.execute(
        AssertSqlSafe(format!(
            "INSERT INTO step_expiry (step_execution_id, cursor_video_id, claim_token) \
             VALUES (?, ?, ?){keep}"
        )),
        &params![id.0, cursor, token],
    )
    .await?;
    let (crashes,): (i64,) = tx
        .fetch_one(
            "SELECT COUNT(*) FROM step_expiry WHERE step_execution_id = ? AND cursor_video_id = ?",
            &params![id.0, cursor],
        )
        .await?;
    Ok(crashes)
}

async fn take(
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
        "UPDATE BATCH_STEP_EXECUTION SET VERSION = VERSION + 1, STATUS = 'STARTED', \
         START_TIME = COALESCE(START_TIME, ?), LAST_UPDATED = ? WHERE STEP_EXECUTION_ID = ?",
        &params![now, now, step.id.0],
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

/// Fails a row that cannot be worked.
async fn fail(
    mut tx: Tx,
    execution: &JobExecution,
    step: &StepExecution,
    reason: String,
    quarantine: bool,
) -> StoreResult<Claimed> {
    let now = tx.now();
    let reason = exit_message(&reason);
    tx.execute(
        "UPDATE BATCH_STEP_EXECUTION SET VERSION = VERSION + 1, STATUS = 'FAILED', \
         EXIT_CODE = 'FAILED', EXIT_MESSAGE = ?, END_TIME = ?, LAST_UPDATED = ? \
         WHERE STEP_EXECUTION_ID = ?",
        &params![reason.as_str(), now, now, step.id.0],
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

pub(crate) async fn renew(store: &Store, tokens: &[ClaimToken], lease_s: u32) -> StoreResult<()> {
    let mut tx = store.db.write_heartbeat().await?;
    let until = lease_end(tx.now_micros().await?, lease_s);
    // At most one for each permit of the worker.
    for token in tokens {
        tx.execute(
            "UPDATE step_lease SET lease_until_micros = ? WHERE claim_token = ?",
            &params![until, token.0],
        )
        .await?;
    }
    tx.commit().await
}

pub(crate) async fn reload(store: &Store, claim: &Claim) -> StoreResult<Reloaded> {
    let mut tx = store.db.write().await?;
    let id = claim.step_execution_id;
    let row: Option<(Option<i64>,)> = tx
        .fetch_optional(
            "SELECT claim_token FROM step_lease WHERE step_execution_id = ?",
            &params![id.0],
        )
        .await?;
    if row != Some((Some(claim.token.0),)) {
        // We are alive: whatever made the lease run out was no crash of ours.
        tx.execute(
            "DELETE FROM step_expiry WHERE step_execution_id = ? AND claim_token = ?",
            &params![id.0, claim.token.0],
        )
        .await?;
        tx.commit().await?;
        return Ok(Reloaded::Lost);
    }
    let step = rows::step(&mut tx, id).await?.ok_or_else(|| {
        StoreError::Damaged(format!("step execution {id} has a lease and no row"))
    })?;
    let state = partition_state(&mut tx, &step).await?;
    tx.rollback().await?;
    Ok(Reloaded::Ours(Box::new(Claim {
        version: step.version,
        state,
        ..claim.clone()
    })))
}

pub(crate) async fn expire_all(store: &Store) -> StoreResult<u64> {
    let mut tx = store.db.write().await?;
    let expired = tx
        .execute(
            "UPDATE step_lease SET lease_until_micros = 0 WHERE lease_until_micros > 0",
            &[],
        )
        .await?;
    tx.execute(
        "UPDATE worker SET alive_until_micros = 0 WHERE alive_until_micros > 0",
        &[],
    )
    .await?;
    tx.commit().await?;
    Ok(expired)
}
