//! Accounts.

use crate::{
    Store, StoreError, StoreResult,
    accounts::{
        Credential, CredentialError, NewToken, PasswordHash, Rotation, TokenHash, refresh_tokens,
    },
    sql::{
        new_id::{NewId, next_id},
        retry,
        statement::params,
        tx::Tx,
    },
};
use balance_domain::accounts::{Account, Role, UserId, Username};
use sqlx::AssertSqlSafe;

impl retry::Conflict for CredentialError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}

impl Store {
    /// Makes an account; ids go on behind the largest there is.
    pub async fn create_account(
        &self,
        username: &Username,
        password_hash: &PasswordHash,
        role: Role,
    ) -> Result<Account, CredentialError> {
        retry::on_conflict(|| create(self, username, password_hash, role)).await
    }

    /// Who has a name, if they have a password too: those who came with imports have none.
    pub async fn credential(&self, username: &Username) -> StoreResult<Option<Credential>> {
        let mut tx = self.db.read().await?;
        let row: Option<(i64, String, String, String)> = tx
            .fetch_optional(
                "SELECT u.id, u.username, u.role, c.password_hash FROM users u \
             JOIN credential c ON c.user_id = u.id WHERE u.username = ?",
                &params![username.as_str()],
            )
            .await?;
        row.map(|(id, username, role, hash)| {
            Ok(Credential {
                account: account(id, &username, &role)?,
                password_hash: PasswordHash(hash),
            })
        })
        .transpose()
    }

    /// Gives somebody a role. It is in their tokens from the next one on.
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

    /// Gives somebody a password, and ends every session of theirs.
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

    /// Begins a family of refresh tokens.
    pub async fn begin_family(&self, user_id: UserId, token: &NewToken) -> StoreResult<()> {
        retry::on_conflict(|| refresh_tokens::begin_family(self, user_id, token)).await
    }

    /// Puts a new token in the place of one that is shown. One that was used at most `grace_s`
    /// seconds ago is taken once more: two tabs may ask at one moment.
    pub async fn rotate(
        &self,
        shown: &TokenHash,
        next: &NewToken,
        grace_s: u32,
    ) -> StoreResult<Rotation> {
        retry::on_conflict(|| refresh_tokens::rotate(self, shown, next, grace_s)).await
    }

    /// Revokes a token's whole family.
    pub async fn revoke(&self, shown: &TokenHash) -> StoreResult<()> {
        retry::on_conflict(|| refresh_tokens::revoke(self, shown)).await
    }
}

async fn create(
    store: &Store,
    username: &Username,
    password_hash: &PasswordHash,
    role: Role,
) -> Result<Account, CredentialError> {
    let mut tx = store.db.write().await?;
    // Whoever makes an account holds this row first, so that nobody takes the name in between.
    let id = next_id(&mut tx, NewId::User).await?;
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
    })
}

/// Who has a name, locked until the commit.
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

/// An account from its row.
pub(crate) fn account(id: i64, username: &str, role: &str) -> StoreResult<Account> {
    let damaged = |what: &str| StoreError::Damaged(format!("user {id}: {what}"));
    Ok(Account {
        user_id: UserId(id),
        username: Username::parse(username).map_err(|_| damaged("the username"))?,
        role: Role::from_name(role).ok_or_else(|| damaged("the role"))?,
    })
}
