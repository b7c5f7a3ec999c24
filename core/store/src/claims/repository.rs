//! The port of claims and chunks.

use crate::{
    Store, StoreError, StoreResult,
    claims::{
        ChunkLimits, ChunkOutcome, ChunkOutput, ClaimError, Claimed, Ending, Reloaded, chunk, lease,
    },
    jobs::rows,
    sql::{retry::on_conflict, statement::params},
};
use balance_batch::{
    chunk::{ChunkCommit, Claim, ClaimToken},
    execution::{JobExecutionId, StepExecutionId},
    status::BatchStatus,
    step::Counters,
};

impl Store {
    /// What could be claimed now, at most `limit`.
    pub async fn claimable(&self, limit: u32) -> StoreResult<Vec<StepExecutionId>> {
        lease::claimable(self, limit).await
    }

    /// Claims a partition or tasklet, or takes it over where its lease has run out. `lease_s`
    /// seconds from now by the database's clock.
    pub async fn claim(
        &self,
        id: StepExecutionId,
        token: ClaimToken,
        worker: &str,
        lease_s: u32,
    ) -> StoreResult<Claimed> {
        on_conflict(|| lease::claim(self, id, token, worker, lease_s)).await
    }

    /// Renews exactly the leases with these tokens, run out or not.
    pub async fn renew(&self, tokens: &[ClaimToken], lease_s: u32) -> StoreResult<()> {
        on_conflict(|| lease::renew(self, tokens, lease_s)).await
    }

    /// Reads a claimed row again after a write failed on its version.
    pub async fn reload(&self, claim: &Claim) -> StoreResult<Reloaded> {
        on_conflict(|| lease::reload(self, claim)).await
    }

    /// The status of the claim's execution.
    pub async fn execution_status(&self, id: JobExecutionId) -> StoreResult<BatchStatus> {
        let mut tx = self.db.read().await?;
        let row: Option<(Option<String>,)> = tx
            .fetch_optional(
                "SELECT STATUS FROM BATCH_JOB_EXECUTION WHERE JOB_EXECUTION_ID = ?",
                &params![id.0],
            )
            .await?;
        let (word,) =
            row.ok_or_else(|| StoreError::Damaged(format!("job execution {id} is gone")))?;
        rows::status(word)
    }

    /// One transaction: version check and raise, output, rejected items, counters, cursor, lease;
    /// with the cursor at the range's end the partition is COMPLETED. Updates the claim.
    pub async fn commit_chunk(
        &self,
        claim: &mut Claim,
        commit: &ChunkCommit,
        output: &ChunkOutput,
        limits: ChunkLimits,
    ) -> Result<ChunkOutcome, ClaimError> {
        chunk::commit(self, claim, commit, output, limits).await
    }

    /// Counts what a rolled-back chunk read. Updates the claim.
    pub async fn record_rollback(
        &self,
        claim: &mut Claim,
        counters: Counters,
    ) -> Result<(), ClaimError> {
        chunk::record_rollback(self, claim, counters).await
    }

    /// Ends the claimed row.
    pub async fn end(&self, claim: &Claim, ending: Ending) -> Result<(), ClaimError> {
        chunk::end(self, claim, ending).await
    }

    /// Gives the claimed row back, to be claimed again no sooner than `delay_ms` from now.
    pub async fn release(&self, claim: &Claim, delay_ms: u32) -> Result<(), ClaimError> {
        chunk::release(self, claim, delay_ms, false).await
    }

    /// The same for a row whose turn has not come: it starts when it is claimed the next time.
    pub async fn release_for_turn(&self, claim: &Claim, delay_ms: u32) -> Result<(), ClaimError> {
        chunk::release(self, claim, delay_ms, true).await
    }

    /// Lets every lease run out at once, and every worker in the registry count as dead. Only for a
    /// process that knows itself to be alone.
    pub async fn expire_all_leases(&self) -> StoreResult<u64> {
        lease::expire_all(self).await
    }
}
