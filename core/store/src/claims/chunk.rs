//! Chunks: the write transactions of an owner.

use crate::{
    Store, StoreError, StoreResult,
    claims::{
        ChunkOutput, ClaimError, chunk_output::write_output, earlier_run::remove_day,
        fence::raise_version, lease::lease_end,
    },
    sql::{fault, statement::params, tx::Tx},
};
use balance_batch::{
    chunk::{ChunkCommit, Claim, RejectedItem},
    execution::exit_message,
    partition::PartitionState,
    status::BatchStatus,
    step::Counters,
};
use sqlx::AssertSqlSafe;

/// The settings of a chunk's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// The length of the lease in seconds.
    pub lease_s: u32,
    /// The maximum number of skipped items of a step over all its partitions.
    pub skip_limit: u32,
}

/// The outcome of [`Store::commit_chunk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkOutcome {
    /// The partition has more items. The claim is valid for the next chunk.
    Continues,
    /// The chunk was the last one: the partition is COMPLETED.
    Completed,
    /// Nothing was written: the rejected items would exceed the skip limit.
    OverSkipLimit,
}

/// How an owner ends its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// For tasklets. A partition completes with its last chunk.
    Completed,
    /// The execution is stopping.
    Stopped,
    /// With an exit message.
    Failed(String),
}

impl Store {
    /// Commits a chunk in one transaction: the version, output, rejected items, counters, cursor and
    /// lease. A cursor at the end of the range completes the partition. Updates the claim.
    ///
    /// # Errors
    /// If another worker owns the row, or the store fails. Then nothing was written.
    pub async fn commit_chunk(
        &self,
        claim: &mut Claim,
        commit: &ChunkCommit,
        output: &ChunkOutput,
        limits: ChunkLimits,
    ) -> Result<ChunkOutcome, ClaimError> {
        let state = claim
            .state
            .ok_or_else(|| StoreError::Damaged("a chunk was committed for a tasklet".to_owned()))?;
        let next = PartitionState {
            cursor: commit.cursor,
            ..state
        };
        fault::before_chunk().await;
        let mut tx = self.db.write().await?;
        let mut counters = commit.counters;
        counters.commits = 1;
        raise_version(&mut tx, claim, counters).await?;
        if !commit.rejected.is_empty()
            && !record_skips(&mut tx, claim, &commit.rejected, limits.skip_limit).await?
        {
            tx.rollback().await?;
            return Ok(ChunkOutcome::OverSkipLimit);
        }
        if matches!(output, ChunkOutput::Statistics(_)) {
            remove_day(&mut tx, claim.date, state.cursor, commit.cursor).await?;
        }
        write_output(&mut tx, claim, state.cursor, commit.cursor, output).await?;
        write_state(&mut tx, claim, next).await?;
        let outcome = if next.is_done() {
            end_row(&mut tx, claim, BatchStatus::Completed, "").await?;
            ChunkOutcome::Completed
        } else {
            let until = lease_end(tx.now_micros().await?, limits.lease_s);
            tx.execute(
                "UPDATE step_lease SET lease_until_micros = ? WHERE step_execution_id = ?",
                &params![until, claim.step_execution_id.0],
            )
            .await?;
            ChunkOutcome::Continues
        };
        fault::before_chunk_commit();
        tx.commit().await?;
        claim.version += 1;
        claim.state = Some(next);
        Ok(outcome)
    }

    /// Adds the counters of a chunk that was rolled back. Updates the claim.
    ///
    /// # Errors
    /// If another worker owns the row, or the store fails.
    pub async fn record_rollback(
        &self,
        claim: &mut Claim,
        mut counters: Counters,
    ) -> Result<(), ClaimError> {
        counters.commits = 0;
        counters.rollbacks = 1;
        let mut tx = self.db.write().await?;
        raise_version(&mut tx, claim, counters).await?;
        tx.commit().await?;
        claim.version += 1;
        Ok(())
    }

    /// Ends the claimed row and deletes its lease.
    ///
    /// # Errors
    /// If another worker owns the row, or the store fails.
    pub async fn end(&self, claim: &Claim, ending: Ending) -> Result<(), ClaimError> {
        let mut tx = self.db.write().await?;
        raise_version(&mut tx, claim, Counters::default()).await?;
        let (status, message) = match ending {
            Ending::Completed => (BatchStatus::Completed, String::new()),
            Ending::Stopped => (BatchStatus::Stopped, String::new()),
            Ending::Failed(reason) => (BatchStatus::Failed, exit_message(&reason)),
        };
        end_row(&mut tx, claim, status, &message).await?;
        if status == BatchStatus::Completed {
            // A tasklet has no chunk that resets its crash count.
            tx.execute(
                "DELETE FROM step_expiry WHERE step_execution_id = ?",
                &params![claim.step_execution_id.0],
            )
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Ends the claimed row with an exit code equal to its status. The caller has incremented the version.
async fn end_row(
    tx: &mut Tx,
    claim: &Claim,
    status: BatchStatus,
    message: &str,
) -> StoreResult<()> {
    let now = tx.now();
    let id = claim.step_execution_id.0;
    tx.execute(
        "UPDATE BATCH_STEP_EXECUTION SET STATUS = ?, EXIT_CODE = ?, EXIT_MESSAGE = ?, \
         END_TIME = ?, LAST_UPDATED = ? WHERE STEP_EXECUTION_ID = ?",
        &params![status.name(), status.name(), message, now, now, id],
    )
    .await?;
    tx.execute(
        "DELETE FROM step_lease WHERE step_execution_id = ?",
        &params![id],
    )
    .await?;
    Ok(())
}

/// Stores the cursor and resets the crash count.
async fn write_state(tx: &mut Tx, claim: &Claim, state: PartitionState) -> StoreResult<()> {
    let columns = state.to_context().to_columns();
    let id = claim.step_execution_id.0;
    tx.execute(
        "UPDATE BATCH_STEP_EXECUTION_CONTEXT SET SHORT_CONTEXT = ?, SERIALIZED_CONTEXT = ? \
         WHERE STEP_EXECUTION_ID = ?",
        &params![columns.short_context, columns.serialized_context, id],
    )
    .await?;
    tx.execute(
        "DELETE FROM step_expiry WHERE step_execution_id = ?",
        &params![id],
    )
    .await?;
    Ok(())
}

/// Records skipped items. Returns whether the step stays within its skip limit, which counts over all
/// its partitions and all executions of the instance.
async fn record_skips(
    tx: &mut Tx,
    claim: &Claim,
    rejected: &[RejectedItem],
    skip_limit: u32,
) -> StoreResult<bool> {
    let step = claim.name.step.name();
    // Serializes the skips of a step: two concurrent transactions would not see each other's rows and
    // together exceed the limit.
    let lock = tx.for_update();
    let _: Vec<(i64,)> = tx
        .fetch_all(
            AssertSqlSafe(format!(
                "SELECT STEP_EXECUTION_ID FROM BATCH_STEP_EXECUTION \
             WHERE JOB_EXECUTION_ID = ? AND STEP_NAME = ?{lock}"
            )),
            &params![claim.job_execution_id.0, step],
        )
        .await?;
    let now = tx.now();
    let keep = tx.on_conflict_keep("job_instance_id, step_name, video_id");
    tx.insert_rows(
        "INSERT INTO rejected_item \
         (job_instance_id, step_name, video_id, date, reason, rejected_at) ",
        rejected,
        |item| {
            params![
                claim.job_instance_id.0,
                step,
                item.video_id,
                claim.date,
                exit_message(&item.reason),
                now
            ]
        },
        keep.as_str(),
    )
    .await?;
    let (skipped,): (i64,) = tx
        .fetch_one(
            "SELECT COUNT(*) FROM rejected_item WHERE job_instance_id = ? AND step_name = ?",
            &params![claim.job_instance_id.0, step],
        )
        .await?;
    Ok(skipped <= i64::from(skip_limit))
}
