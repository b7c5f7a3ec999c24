//! Replies to creation requests with an idempotency key.

use crate::{
    StoreResult,
    playback::IdempotencyKey,
    sql::{statement::params, tx::Tx},
};
use balance_domain::{accounts::UserId, playback::TooMany, units::MICROS_PER_DAY};
use sha2::{Digest, Sha256};

/// The user who creates a video or an ad, and the idempotency key of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation {
    pub user_id: UserId,
    /// The client's idempotency key, if it sent one. It is stored for 24 hours.
    pub key: Option<IdempotencyKey>,
}

/// The outcome of a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created<T> {
    /// The id that this request created, or an earlier request with the same content and key.
    Id(T),
    /// Nothing was created: an earlier request with different content used the key.
    KeyReused,
    /// Nothing was created: the maximum number exists.
    Full,
    /// Nothing was created: the account has created too many in a short time.
    TooMany(TooMany),
}

/// An earlier request of the same user with the same key.
pub(crate) enum Earlier {
    None,
    /// The same request, with the id that it created.
    Created(i64),
    /// A different request.
    Different,
}

/// Finds an earlier request with the same key. The caller must hold a lock that excludes concurrent
/// creations, so that a repeated request cannot run at the same time.
pub(crate) async fn find(tx: &mut Tx, creation: &Creation, request: &str) -> StoreResult<Earlier> {
    let Some(key) = &creation.key else {
        return Ok(Earlier::None);
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
        None => Earlier::None,
        Some((hash, id)) if hash == Sha256::digest(request)[..] => Earlier::Created(id),
        Some(_) => Earlier::Different,
    })
}

/// Stores the id that a request created for 24 hours. Deletes expired replies.
pub(crate) async fn store(
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
            now_micros.saturating_add(MICROS_PER_DAY)
        ],
    )
    .await?;
    Ok(())
}
