//! The port of claims and chunks.

use super::{SqlStore, chunk, db::fetch_optional, job_rows, lease, retry::on_conflict};
use crate::{
    batch::{
        chunk::{ChunkCommit, Claim, ClaimToken},
        execution::{JobExecutionId, StepExecutionId},
        status::BatchStatus,
        step::Counters,
    },
    port::{
        claims::{
            ChunkLimits, ChunkOutcome, ChunkOutput, ClaimError, ClaimStore, Claimed, Ending,
            Reloaded,
        },
        error::{StoreError, StoreResult},
    },
};
use async_trait::async_trait;

#[async_trait]
impl ClaimStore for SqlStore {
    async fn claimable(&self, limit: u32) -> StoreResult<Vec<StepExecutionId>> {
        lease::claimable(self, limit).await
    }

    async fn claim(
        &self,
        id: StepExecutionId,
        token: ClaimToken,
        worker: &str,
        lease_s: u32,
    ) -> StoreResult<Claimed> {
        on_conflict(|| lease::claim(self, id, token, worker, lease_s)).await
    }

    async fn renew(&self, tokens: &[ClaimToken], lease_s: u32) -> StoreResult<()> {
        on_conflict(|| lease::renew(self, tokens, lease_s)).await
    }

    async fn reload(&self, claim: &Claim) -> StoreResult<Reloaded> {
        on_conflict(|| lease::reload(self, claim)).await
    }

    async fn execution_status(&self, id: JobExecutionId) -> StoreResult<BatchStatus> {
        let mut tx = self.db.read().await?;
        let row: Option<(Option<String>,)> = fetch_optional!(
            &mut tx,
            "SELECT STATUS FROM BATCH_JOB_EXECUTION WHERE JOB_EXECUTION_ID = ?",
            id.0
        )?;
        let (word,) =
            row.ok_or_else(|| StoreError::Damaged(format!("job execution {id} is gone")))?;
        job_rows::status(word)
    }

    async fn commit_chunk(
        &self,
        claim: &mut Claim,
        commit: &ChunkCommit,
        output: &ChunkOutput,
        limits: ChunkLimits,
    ) -> Result<ChunkOutcome, ClaimError> {
        chunk::commit(self, claim, commit, output, limits).await
    }

    async fn record_rollback(
        &self,
        claim: &mut Claim,
        counters: Counters,
    ) -> Result<(), ClaimError> {
        chunk::record_rollback(self, claim, counters).await
    }

    async fn end(&self, claim: &Claim, ending: Ending) -> Result<(), ClaimError> {
        chunk::end(self, claim, ending).await
    }

    async fn release(&self, claim: &Claim, delay_ms: u32) -> Result<(), ClaimError> {
        chunk::release(self, claim, delay_ms, false).await
    }

    async fn release_for_turn(&self, claim: &Claim, delay_ms: u32) -> Result<(), ClaimError> {
        chunk::release(self, claim, delay_ms, true).await
    }

    async fn expire_all_leases(&self) -> StoreResult<u64> {
        lease::expire_all(self).await
    }
}
