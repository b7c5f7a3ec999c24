//! Accounts and their refresh tokens.

use crate::StoreError;
use balance_domain::accounts::{Account, UserId, Username};

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
pub enum CredentialError {
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
