//! Refresh tokens. The tokens that descend from one login form a family.

use crate::{
    Store, StoreResult,
    accounts::account_row::account,
    sql::{retry::on_conflict, statement::params, tx::Tx},
};
use balance_domain::{
    accounts::{Account, UserId},
    units::MICROS_PER_S,
};
use chrono::NaiveDateTime;
use sqlx::AssertSqlSafe;

/// The stored form of a refresh token: its SHA-256 hash, which cannot be used as a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// A refresh token to be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewToken {
    pub hash: TokenHash,
    /// The lifetime in seconds, by the database's clock.
    pub lifetime_s: u32,
}

/// The outcome of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The token was valid. A new token of its family replaces it.
    Rotated(Account),
    /// The token was used before, so it may be stolen: its family was revoked.
    Reused(UserId),
    /// The token is unknown, revoked or expired.
    Rejected,
}

impl Store {
    /// Stores the first token of a new family. Deletes expired tokens.
    pub async fn begin_family(&self, user_id: UserId, token: &NewToken) -> StoreResult<()> {
        on_conflict(|| begin_family(self, user_id, token)).await
    }

    /// Replaces a presented token by a new one. A token used at most `grace_s` seconds ago is
    /// accepted again, because two browser tabs may refresh at the same time.
    pub async fn rotate(
        &self,
        presented: &TokenHash,
        next: &NewToken,
        grace_s: u32,
    ) -> StoreResult<Rotation> {
        on_conflict(|| rotate(self, presented, next, grace_s)).await
    }

    /// Revokes the whole family of a token.
    pub async fn revoke(&self, presented: &TokenHash) -> StoreResult<()> {
        on_conflict(|| revoke(self, presented)).await
    }
}

async fn begin_family(store: &Store, user_id: UserId, token: &NewToken) -> StoreResult<()> {
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

async fn rotate(
    store: &Store,
    presented: &TokenHash,
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
            &params![&presented.0[..]],
        )
        .await?;
    let Some((family, user_id, expires_micros, used_micros)) = row else {
        return Ok(Rotation::Rejected);
    };
    if expires_micros <= now_micros {
        return Ok(Rotation::Rejected);
    }
    let grace_micros = i64::from(grace_s) * MICROS_PER_S;
    if used_micros.is_some_and(|used| now_micros.saturating_sub(used) > grace_micros) {
        delete_family(&mut tx, &family).await?;
        tx.commit().await?;
        return Ok(Rotation::Reused(UserId(user_id)));
    }
    tx.execute(
        "UPDATE refresh_token SET used_micros = COALESCE(used_micros, ?) WHERE token_hash = ?",
        &params![now_micros, &presented.0[..]],
    )
    .await?;
    insert(&mut tx, &family, UserId(user_id), next, now_micros).await?;
    let (username, role, created_at): (String, String, NaiveDateTime) = tx
        .fetch_one(
            "SELECT username, role, created_at FROM users WHERE id = ?",
            &params![user_id],
        )
        .await?;
    let account = account(user_id, &username, &role, created_at)?;
    tx.commit().await?;
    Ok(Rotation::Rotated(account))
}

async fn revoke(store: &Store, presented: &TokenHash) -> StoreResult<()> {
    let mut tx = store.db.write().await?;
    let row: Option<(Vec<u8>,)> = tx
        .fetch_optional(
            "SELECT family FROM refresh_token WHERE token_hash = ?",
            &params![&presented.0[..]],
        )
        .await?;
    let Some((family,)) = row else {
        return Ok(());
    };
    delete_family(&mut tx, &family).await?;
    tx.commit().await
}

/// Revokes all refresh tokens of a user.
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
            now_micros.saturating_add(i64::from(token.lifetime_s) * MICROS_PER_S)
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
