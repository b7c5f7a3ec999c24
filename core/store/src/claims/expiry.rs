//! Expired claims, which count as crashes of their workers, unless the worker was asked to end.

use crate::{
    Store, StoreResult,
    sql::{retry::on_conflict, statement::params, tx::Tx},
};
use balance_batch::{chunk::Claim, execution::StepExecutionId};
use sqlx::AssertSqlSafe;

/// The cursor of a row that announces the end of a claim's worker. No partition is at this cursor.
const ANNOUNCED: i64 = -1;

impl Store {
    /// Records that the worker of these claims was asked to end. If it is killed before it releases
    /// them, their expiry is no crash. Locks no row of a chunk.
    pub async fn announce_end(&self, claims: &[Claim]) -> StoreResult<()> {
        on_conflict(|| announce_end(self, claims)).await
    }
}

async fn announce_end(store: &Store, claims: &[Claim]) -> StoreResult<()> {
    if claims.is_empty() {
        return Ok(());
    }
    let mut tx = store.db.write_heartbeat().await?;
    for claim in claims {
        // A claim that was released meanwhile needs no announcement, and would keep it.
        let owned: Option<(i64,)> = tx
            .fetch_optional(
                "SELECT 1 FROM step_lease WHERE step_execution_id = ? AND claim_token = ?",
                &params![claim.step_execution_id.0, claim.token.0],
            )
            .await?;
        if owned.is_some() {
            insert(&mut tx, claim.step_execution_id, ANNOUNCED, claim.token.0).await?;
        }
    }
    tx.commit().await
}

/// Records that a claim expired at a cursor. Returns the number of crashes at this cursor.
pub(super) async fn record_expiry(
    tx: &mut Tx,
    id: StepExecutionId,
    cursor: i64,
    token: i64,
) -> StoreResult<i64> {
    let announced: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT claim_token FROM step_expiry \
             WHERE step_execution_id = ? AND cursor_video_id = ? AND claim_token = ?",
            &params![id.0, ANNOUNCED, token],
        )
        .await?;
    if announced.is_none() {
        insert(tx, id, cursor, token).await?;
    }
    let (crashes,): (i64,) = tx
        .fetch_one(
            "SELECT COUNT(*) FROM step_expiry WHERE step_execution_id = ? AND cursor_video_id = ?",
            &params![id.0, cursor],
        )
        .await?;
    Ok(crashes)
}

/// Removes what is recorded of a claim: its expiry, and the announcement of its end.
pub(super) async fn forget_expiry(tx: &mut Tx, claim: &Claim) -> StoreResult<()> {
    tx.execute(
        "DELETE FROM step_expiry WHERE step_execution_id = ? AND claim_token = ?",
        &params![claim.step_execution_id.0, claim.token.0],
    )
    .await?;
    Ok(())
}

async fn insert(tx: &mut Tx, id: StepExecutionId, cursor: i64, token: i64) -> StoreResult<()> {
    let keep = tx.on_conflict_keep("step_execution_id, cursor_video_id, claim_token");
    tx.execute(
        AssertSqlSafe(format!(
            "INSERT INTO step_expiry (step_execution_id, cursor_video_id, claim_token) \
             VALUES (?, ?, ?){keep}"
        )),
        &params![id.0, cursor, token],
    )
    .await?;
    Ok(())
}
