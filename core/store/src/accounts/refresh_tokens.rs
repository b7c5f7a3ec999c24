//! Refresh tokens: those of one login are a family.

use crate::{
    Store, StoreResult,
    accounts::{NewToken, Rotation, TokenHash, credentials::account},
    sql::{statement::params, tx::Tx},
};
use balance_domain::accounts::UserId;
use sqlx::AssertSqlSafe;

const MICROS_PER_S: i64 = 1_000_000;

pub(crate) async fn begin_family(
    store: &Store,
    user_id: UserId,
    token: &NewToken,
) -> StoreResult<()> {
    let mut tx = store.db.write().await?;
    let now_micros = tx.now_micros().await?;
    tx.execute(
        "DELETE FROM refresh_token WHERE expires_micros <= ?",
        &params![now_micros],
    )
    .await?;
    let family: [u8; 16] = rand::random();
    insert(&mut tx, &family, user_id, token, now_micros).await?;
    tx.commit().await
}

pub(crate) async fn rotate(
    store: &Store,
    shown: &TokenHash,
    next: &NewToken,
    grace_s: u32,
) -> StoreResult<Rotation> {
    let mut tx = store.db.write().await?;
    let now_micros = tx.now_micros().await?;
    let lock = tx.for_update();
    let row: Option<(Vec<u8>, i64, i64, Option<i64>)> = tx
        .fetch_optional(
            AssertSqlSafe(format!(
                "SELECT family, user_id, expires_micros, used_micros FROM refresh_token \
             WHERE token_hash = ?{lock}"
            )),
            &params![&shown.0[..]],
        )
        .await?;
    let Some((family, user_id, expires_micros, used_micros)) = row else {
        return Ok(Rotation::Refused);
    };
    if expires_micros <= now_micros {
        return Ok(Rotation::Refused);
    }
    let grace_micros = i64::from(grace_s) * MICROS_PER_S;
    if used_micros.is_some_and(|used| now_micros.saturating_sub(used) > grace_micros) {
        delete_family(&mut tx, &family).await?;
        tx.commit().await?;
        return Ok(Rotation::Reused(UserId(user_id)));
    }
    tx.execute(
        "UPDATE refresh_token SET used_micros = COALESCE(used_micros, ?) WHERE token_hash = ?",
        &params![now_micros, &shown.0[..]],
    )
    .await?;
    insert(&mut tx, &family, UserId(user_id), next, now_micros).await?;
    let (username, role): (String, String) = tx
        .fetch_one(
            "SELECT username, role FROM users WHERE id = ?",
            &params![user_id],
        )
        .await?;
    let account = account(user_id, &username, &role)?;
    tx.commit().await?;
    Ok(Rotation::Rotated(account))
}

pub(crate) async fn revoke(store: &Store, shown: &TokenHash) -> StoreResult<()> {
    let mut tx = store.db.write().await?;
    let row: Option<(Vec<u8>,)> = tx
        .fetch_optional(
            "SELECT family FROM refresh_token WHERE token_hash = ?",
            &params![&shown.0[..]],
        )
        .await?;
    let Some((family,)) = row else {
        return Ok(());
    };
    delete_family(&mut tx, &family).await?;
    tx.commit().await
}

/// Ends every session of a user.
pub(crate) async fn revoke_all(tx: &mut Tx, user_id: UserId) -> StoreResult<()> {
    tx.execute(
        "DELETE FROM refresh_token WHERE user_id = ?",
        &params![user_id.0],
    )
    .await?;
    Ok(())
}

async fn insert(
    tx: &mut Tx,
    family: &[u8],
    user_id: UserId,
    token: &NewToken,
    now_micros: i64,
) -> StoreResult<()> {
    tx.execute(
        "INSERT INTO refresh_token (token_hash, family, user_id, expires_micros) \
         VALUES (?, ?, ?, ?)",
        &params![
            &token.hash.0[..],
            family,
            user_id.0,
            now_micros.saturating_add(i64::from(token.lives_s) * MICROS_PER_S)
        ],
    )
    .await?;
    Ok(())
}

async fn delete_family(tx: &mut Tx, family: &[u8]) -> StoreResult<()> {
    tx.execute(
        "DELETE FROM refresh_token WHERE family = ?",
        &params![family],
    )
    .await?;
    Ok(())
}
