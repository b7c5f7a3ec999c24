//! What was created for requests that clients gave a name.

use crate::{
    StoreResult,
    sql::{statement::params, tx::Tx},
    videos::Creation,
};
use sha2::{Digest, Sha256};

/// How long a name is remembered, in microseconds: a day.
const REMEMBERED_MICROS: i64 = 86_400_000_000;

/// What was created under the same name before.
pub(crate) enum Earlier {
    Nothing,
    /// By the same request.
    Created(i64),
    /// By another one.
    Other,
}

/// Looks for what the request created before. Whoever creates must hold a lock by then, so that
/// the same request cannot come in between.
pub(crate) async fn find(tx: &mut Tx, creation: &Creation, request: &str) -> StoreResult<Earlier> {
    let Some(key) = &creation.key else {
        return Ok(Earlier::Nothing);
    };
    let now_micros = tx.clock_micros();
    let row: Option<(Vec<u8>, i64)> = tx
        .fetch_optional(
            "SELECT request_hash, created_id FROM creation_reply \
         WHERE user_id = ? AND idempotency_key = ? AND expires_micros > ?",
            &params![creation.user_id.0, key.as_str(), now_micros],
        )
        .await?;
    Ok(match row {
        None => Earlier::Nothing,
        Some((hash, id)) if hash == Sha256::digest(request)[..] => Earlier::Created(id),
        Some(_) => Earlier::Other,
    })
}

/// Remembers what the request created, and forgets what is too long ago.
pub(crate) async fn remember(
    tx: &mut Tx,
    creation: &Creation,
    request: &str,
    created_id: i64,
) -> StoreResult<()> {
    let Some(key) = &creation.key else {
        return Ok(());
    };
    let now_micros = tx.clock_micros();
    tx.execute(
        "DELETE FROM creation_reply WHERE expires_micros <= ?",
        &params![now_micros],
    )
    .await?;
    tx.execute(
        "INSERT INTO creation_reply \
         (user_id, idempotency_key, request_hash, created_id, expires_micros) \
         VALUES (?, ?, ?, ?, ?)",
        &params![
            creation.user_id.0,
            key.as_str(),
            &Sha256::digest(request)[..],
            created_id,
            now_micros.saturating_add(REMEMBERED_MICROS)
        ],
    )
    .await?;
    Ok(())
}
