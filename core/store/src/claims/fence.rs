//! Fencing: only the current owner of a row can write to it.

use crate::{
    StoreError,
    sql::{statement::params, tx::Tx},
};
use balance_batch::{chunk::Claim, step::Counters};

/// Why an owner's write was not committed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The row has another version: another worker owns it, or an earlier attempt of this write was
    /// committed although its response was lost.
    #[error("failed to write: another worker owns the claim, or the write was committed before")]
    Fenced,
    /// The store failed; nothing was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Increments the version of a claimed row and adds to its counters. It is the first statement of
/// each write transaction of an owner, and fails if the version differs from the claim's.
pub(super) async fn raise_version(
    tx: &mut Tx,
    claim: &Claim,
    counters: Counters,
) -> Result<(), ClaimError> {
    let now = tx.now();
    let raised = tx
        .execute(
            "UPDATE BATCH_STEP_EXECUTION SET VERSION = VERSION + 1, LAST_UPDATED = ?, \
         COMMIT_COUNT = COMMIT_COUNT + ?, READ_COUNT = READ_COUNT + ?, \
         FILTER_COUNT = FILTER_COUNT + ?, WRITE_COUNT = WRITE_COUNT + ?, \
         READ_SKIP_COUNT = READ_SKIP_COUNT + ?, WRITE_SKIP_COUNT = WRITE_SKIP_COUNT + ?, \
         PROCESS_SKIP_COUNT = PROCESS_SKIP_COUNT + ?, ROLLBACK_COUNT = ROLLBACK_COUNT + ? \
         WHERE STEP_EXECUTION_ID = ? AND VERSION = ?",
            &params![
                now,
                counters.commits,
                counters.reads,
                counters.filters,
                counters.writes,
                counters.read_skips,
                counters.write_skips,
                counters.process_skips,
                counters.rollbacks,
                claim.step_execution_id.0,
                claim.version
            ],
        )
        .await?;
    if raised == 1 {
        Ok(())
    } else {
        Err(ClaimError::Fenced)
    }
}
