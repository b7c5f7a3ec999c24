//! Accounts and their refresh tokens.

use super::error::{StoreError, StoreResult};
use crate::domain::{
    account::{Account, Role, Username},
    user::UserId,
};
use async_trait::async_trait;

/// What is kept of a password: an Argon2id hash in PHC form, with its salt and costs.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// An account with what its password is compared to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whose.
    pub account: Account,
    /// Of the password.
    pub password_hash: PasswordHash,
}

/// Why an account was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountRefusal {
    /// Somebody has the name.
    #[error("the username is taken")]
    UsernameTaken,
    /// Nobody has the name.
    #[error("there is no user {0}")]
    NoSuchUser(Username),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is kept of a refresh token: its SHA-256. Whoever reads the table can use none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// A refresh token that is given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewToken {
    /// What is kept of it.
    pub hash: TokenHash,
    /// How long it is taken, in seconds by the database's clock.
    pub lives_s: u32,
}

/// What became of a refresh token that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// It was good, and a new one of its family takes its place.
    Rotated(Account),
    /// It was used before: its family is revoked, for one of the two who have it is a thief.
    Reused(UserId),
    /// It is unknown, revoked or too old.
    Refused,
}

/// Keeps accounts and refresh tokens.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Makes an account; ids go on behind the largest there is.
    async fn create_account(
        &self,
        username: &Username,
        password_hash: &PasswordHash,
        role: Role,
    ) -> Result<Account, AccountRefusal>;

    /// Who has a name, if they have a password too: those who came with imports have none.
    async fn credential(&self, username: &Username) -> StoreResult<Option<Credential>>;

    /// Gives somebody a role. It is in their tokens from the next one on.
    async fn grant(&self, username: &Username, role: Role) -> Result<(), AccountRefusal>;

    /// Gives somebody a password, and ends every session of theirs.
    async fn set_password(
        &self,
        username: &Username,
        password_hash: &PasswordHash,
    ) -> Result<(), AccountRefusal>;

    /// Begins a family of refresh tokens.
    async fn begin_family(&self, user_id: UserId, token: &NewToken) -> StoreResult<()>;

    /// Puts a new token in the place of one that is shown. One that was used at most `grace_s`
    /// seconds ago is taken once more: two tabs may ask at one moment.
    async fn rotate(
        &self,
        shown: &TokenHash,
        next: &NewToken,
        grace_s: u32,
    ) -> StoreResult<Rotation>;

    /// Revokes a token's whole family.
    async fn revoke(&self, shown: &TokenHash) -> StoreResult<()>;
}
