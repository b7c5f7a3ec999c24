//! Accounts and their passwords.

use crate::{
    Store, StoreError, StoreResult,
    accounts::{account_row::account, refresh_tokens},
    sql::{
        new_id::{NewId, next_id},
        retry::{Conflict, on_conflict},
        statement::params,
        tx::Tx,
    },
};
use balance_domain::accounts::{Account, Role, UserId, Username};
use chrono::NaiveDateTime;
use sqlx::AssertSqlSafe;
use std::fmt;

/// The stored form of a password: an Argon2id hash in PHC format, with its salt and costs.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// An account with its password hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub account: Account,
    pub password_hash: PasswordHash,
}

/// Why an account was not created or changed.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("the username is taken")]
    UsernameTaken,
    #[error("there is no user {0}")]
    NoSuchUser(Username),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Conflict for CredentialError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}

impl Store {
    /// Creates an account with an id above all existing ones.
    ///
    /// # Errors
    /// If the username is taken, or the store fails.
    pub async fn create_account(
        &self,
        username: &Username,
        password_hash: &PasswordHash,
        role: Role,
    ) -> Result<Account, CredentialError> {
        on_conflict(|| create(self, username, password_hash, role)).await
    }

    /// Returns the credential of a username. Users registered by imports have none.
    pub async fn credential(&self, username: &Username) -> StoreResult<Option<Credential>> {
        let mut tx = self.db.read().await?;
        let row: Option<(i64, String, String, NaiveDateTime, String)> = tx
            .fetch_optional(
                "SELECT u.id, u.username, u.role, u.created_at, c.password_hash FROM users u \
             JOIN credential c ON c.user_id = u.id WHERE u.username = ?",
                &params![username.as_str()],
            )
            .await?;
        row.map(|(id, username, role, created_at, hash)| {
            Ok(Credential {
                account: account(id, &username, &role, created_at)?,
                password_hash: PasswordHash(hash),
            })
        })
        .transpose()
    }

    /// Sets the role of a user. Access tokens issued from now on contain it.
    ///
    /// # Errors
    /// If the user does not exist, or the store fails.
    pub async fn grant(&self, username: &Username, role: Role) -> Result<(), CredentialError> {
        let mut tx = self.db.write().await?;
        let user_id = user_id(&mut tx, username).await?;
        tx.execute(
            "UPDATE users SET role = ? WHERE id = ?",
            &params![role.name(), user_id.0],
        )
        .await?;
        Ok(tx.commit().await?)
    }

    /// Sets the password of a user and revokes all their refresh tokens.
    ///
    /// # Errors
    /// If the user does not exist, or the store fails.
    pub async fn set_password(
        &self,
        username: &Username,
        password_hash: &PasswordHash,
    ) -> Result<(), CredentialError> {
        let mut tx = self.db.write().await?;
        let user_id = user_id(&mut tx, username).await?;
        let now = tx.now();
        tx.execute(
            "REPLACE INTO credential (user_id, password_hash, changed_at) VALUES (?, ?, ?)",
            &params![user_id.0, password_hash.0.as_str(), now],
        )
        .await?;
        refresh_tokens::revoke_all(&mut tx, user_id).await?;
        Ok(tx.commit().await?)
    }
}

async fn create(
    store: &Store,
    username: &Username,
    password_hash: &PasswordHash,
    role: Role,
) -> Result<Account, CredentialError> {
    let mut tx = store.db.write().await?;
    // Locks the counter's row first, so that no concurrent transaction takes the username.
    let id = next_id(&mut tx, NewId::User).await?;
    store.ids.check_id(NewId::User, id)?;
    let taken: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT id FROM users WHERE username = ?",
            &params![username.as_str()],
        )
        .await?;
    if taken.is_some() {
        return Err(CredentialError::UsernameTaken);
    }
    let now = tx.now();
    tx.execute(
        "INSERT INTO users (id, username, role, created_at) VALUES (?, ?, ?, ?)",
        &params![id, username.as_str(), role.name(), now],
    )
    .await?;
    tx.execute(
        "INSERT INTO credential (user_id, password_hash, changed_at) VALUES (?, ?, ?)",
        &params![id, password_hash.0.as_str(), now],
    )
    .await?;
    tx.commit().await?;
    Ok(Account {
        user_id: UserId(id),
        username: username.clone(),
        role,
        created_at: now,
    })
}

/// Returns the id of a username and locks its row until the commit.
async fn user_id(tx: &mut Tx, username: &Username) -> Result<UserId, CredentialError> {
    let lock = tx.for_update();
    let row: Option<(i64,)> = tx
        .fetch_optional(
            AssertSqlSafe(format!("SELECT id FROM users WHERE username = ?{lock}")),
            &params![username.as_str()],
        )
        .await?;
    row.map(|(id,)| UserId(id))
        .ok_or_else(|| CredentialError::NoSuchUser(username.clone()))
}
