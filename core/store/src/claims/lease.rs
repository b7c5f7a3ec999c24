//! Leases: renewal, reload, release and expiry.

use crate::{
    Store, StoreError, StoreResult,
    claims::{
        expiry::forget_expiry,
        fence::{ClaimError, raise_version},
    },
    jobs::rows,
    sql::{retry::on_conflict, statement::params, tx::Tx},
};
use balance_batch::{
    chunk::Claim,
    partition::PartitionState,
    step::{Counters, StepExecution},
};
use balance_domain::units::{MICROS_PER_MS, MICROS_PER_S};

/// The outcome of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reloaded {
    /// The worker still owns the row. It resumes with this claim.
    Owned(Box<Claim>),
    /// The row has ended or another worker owns it.
    Lost,
}

impl Store {
    /// Renews the leases of these claims, including expired ones. A lease that has another token is
    /// not renewed.
    pub async fn renew(&self, claims: &[Claim], lease_s: u32) -> StoreResult<()> {
        on_conflict(|| renew(self, claims, lease_s)).await
    }

    /// Reads a claimed row again after a write failed because of its version.
    pub async fn reload(&self, claim: &Claim) -> StoreResult<Reloaded> {
        on_conflict(|| reload(self, claim)).await
    }

    /// Releases a claimed row. Workers can claim it again after `delay_ms` milliseconds.
    ///
    /// # Errors
    /// If another worker owns the row, or the store fails.
    pub async fn release(&self, claim: &Claim, delay_ms: u32) -> Result<(), ClaimError> {
        release(self, claim, delay_ms, false).await
    }

    /// Releases a claimed row that cannot run yet and clears its start time. Workers can claim it
    /// again after `delay_ms` milliseconds.
    ///
    /// # Errors
    /// If another worker owns the row, or the store fails.
    pub async fn release_unstarted(&self, claim: &Claim, delay_ms: u32) -> Result<(), ClaimError> {
        release(self, claim, delay_ms, true).await
    }

    /// Expires all leases and marks all registered workers as dead. Returns the number of expired
    /// leases. Only for a process that is the only one on the database.
    pub async fn expire_all_leases(&self) -> StoreResult<u64> {
        let mut tx = self.db.write().await?;
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
}

/// Returns the end of a lease in microseconds since 1970 (UTC).
pub(crate) fn lease_end(now_micros: i64, lease_s: u32) -> i64 {
    now_micros.saturating_add(i64::from(lease_s) * MICROS_PER_S)
}

/// Returns the state of a partition, or `None` for a tasklet.
pub(super) async fn partition_state(
    tx: &mut Tx,
    step: &StepExecution,
) -> StoreResult<Option<PartitionState>> {
    if step.name.partition.is_none() {
        return Ok(None);
    }
    let context = rows::step_context(tx, step.id).await?;
    Ok(Some(PartitionState::from_context(&context)?))
}

async fn renew(store: &Store, claims: &[Claim], lease_s: u32) -> StoreResult<()> {
    let mut tx = store.db.write_heartbeat().await?;
    let until = lease_end(tx.now_micros().await?, lease_s);
    for claim in claims {
        tx.execute(
            "UPDATE step_lease SET lease_until_micros = ? \
             WHERE step_execution_id = ? AND claim_token = ?",
            &params![until, claim.step_execution_id.0, claim.token.0],
        )
        .await?;
    }
    tx.commit().await
}

async fn reload(store: &Store, claim: &Claim) -> StoreResult<Reloaded> {
    let mut tx = store.db.write().await?;
    let id = claim.step_execution_id;
    let row: Option<(Option<i64>,)> = tx
        .fetch_optional(
            "SELECT claim_token FROM step_lease WHERE step_execution_id = ?",
            &params![id.0],
        )
        .await?;
    if row != Some((Some(claim.token.0),)) {
        // This worker is alive, so the expired lease was not caused by a crash.
        forget_expiry(&mut tx, claim).await?;
        tx.commit().await?;
        return Ok(Reloaded::Lost);
    }
    let step = rows::step(&mut tx, id).await?.ok_or_else(|| {
        StoreError::Damaged(format!("step execution {id} has a lease but no row"))
    })?;
    let state = partition_state(&mut tx, &step).await?;
    tx.rollback().await?;
    Ok(Reloaded::Owned(Box::new(Claim {
        version: step.version,
        state,
        ..claim.clone()
    })))
}

async fn release(
    store: &Store,
    claim: &Claim,
    delay_ms: u32,
    resets_start: bool,
) -> Result<(), ClaimError> {
    let mut tx = store.db.write().await?;
    raise_version(&mut tx, claim, Counters::default()).await?;
    if resets_start {
        tx.execute(
            "UPDATE BATCH_STEP_EXECUTION SET START_TIME = NULL WHERE STEP_EXECUTION_ID = ?",
            &params![claim.step_execution_id.0],
        )
        .await?;
    }
    let claimable_from = tx
        .now_micros()
        .await?
        .saturating_add(i64::from(delay_ms) * MICROS_PER_MS);
    tx.execute(
        "UPDATE step_lease SET claim_token = NULL, worker = NULL, lease_until_micros = ? \
         WHERE step_execution_id = ?",
        &params![claimable_from, claim.step_execution_id.0],
    )
    .await?;
    forget_expiry(&mut tx, claim).await?;
    tx.commit().await?;
    Ok(())
}
