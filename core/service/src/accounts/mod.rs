//! Joining, logging in, staying logged in, logging out.

pub mod passwords;

use crate::accounts::passwords::{PasswordError, Passwords};
use balance_domain::accounts::{Account, Password, Role, UserId, Username};
use balance_store::{
    Store, StoreError,
    accounts::{CredentialError, NewToken, Rotation, TokenHash},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc};

/// How long a refresh token is taken, in seconds: one day.
pub const REFRESH_S: u32 = 86_400;
/// How long a used refresh token is taken once more, in seconds: two tabs may ask at one moment.
const GRACE_S: u32 = 10;
const TOKEN_BYTES: usize = 32;

/// A refresh token as its owner has it: 32 bytes of chance in Base64. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(String);

impl RefreshToken {
    fn new() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; TOKEN_BYTES]>()))
    }

    /// One that somebody shows. Nothing is looked for that cannot be a token of ours.
    #[must_use]
    pub fn shown(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == TOKEN_BYTES).then(|| Self(text.to_owned()))
    }

    /// Its text, for its owner only.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }

    fn kept(&self) -> NewToken {
        NewToken {
            hash: self.hash(),
            lives_s: REFRESH_S,
        }
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

/// Somebody who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedIn {
    /// Who.
    pub account: Account,
    /// What keeps them logged in.
    pub refresh_token: RefreshToken,
}

/// Why somebody has no account, or is not logged in.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name belongs to those who come with imports.
    #[error("names like user-1 and creator-1 are given by imports")]
    ReservedUsername,
    /// No such user, or another password: which one is nobody's business.
    #[error("the username or the password is wrong")]
    WrongCredentials,
    /// The refresh token is unknown, revoked or too old.
    #[error("the refresh token is not valid")]
    WrongRefreshToken,
    /// The refresh token was used before; everybody with one of its family is logged out.
    #[error("the refresh token was used before")]
    ReusedRefreshToken(UserId),
    /// The store refused.
    #[error(transparent)]
    Refused(#[from] CredentialError),
    /// Passwords cannot be hashed now.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Knows who is who.
#[derive(Clone)]
pub struct Accounts {
    store: Arc<Store>,
    passwords: Passwords,
}

impl Accounts {
    /// A service on a store.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            passwords: Passwords::default(),
        }
    }

    /// Makes an account of a user.
    ///
    /// # Errors
    /// Where the name is taken or reserved, or the store fails.
    pub async fn join(
        &self,
        username: &Username,
        password: Password,
    ) -> Result<Account, AccountError> {
        self.create(username, password, Role::User).await
    }

    /// Makes an account with a role. Not for those who join: nobody makes himself an admin.
    ///
    /// # Errors
    /// Where the name is taken or reserved, or the store fails.
    pub async fn create(
        &self,
        username: &Username,
        password: Password,
        role: Role,
    ) -> Result<Account, AccountError> {
        if username.is_reserved() {
            return Err(AccountError::ReservedUsername);
        }
        let hash = self.passwords.hash(password).await?;
        Ok(self.store.create_account(username, &hash, role).await?)
    }

    /// Gives somebody a role.
    ///
    /// # Errors
    /// Where there is no such user, or the store fails.
    pub async fn grant(&self, username: &Username, role: Role) -> Result<(), AccountError> {
        Ok(self.store.grant(username, role).await?)
    }

    /// Gives somebody a password, and logs them out everywhere.
    ///
    /// # Errors
    /// Where there is no such user, or the store fails.
    pub async fn set_password(
        &self,
        username: &Username,
        password: Password,
    ) -> Result<(), AccountError> {
        let hash = self.passwords.hash(password).await?;
        Ok(self.store.set_password(username, &hash).await?)
    }

    /// Logs somebody in.
    ///
    /// # Errors
    /// Where name or password are wrong, or the store fails.
    pub async fn login(
        &self,
        username: &Username,
        password: Password,
    ) -> Result<LoggedIn, AccountError> {
        let credential = self.store.credential(username).await?;
        let (account, hash) = credential
            .map(|credential| (credential.account, credential.password_hash))
            .unzip();
        let is_right = self.passwords.is(password, hash).await?;
        let Some(account) = account.filter(|_| is_right) else {
            return Err(AccountError::WrongCredentials);
        };
        let refresh_token = RefreshToken::new();
        self.store
            .begin_family(account.user_id, &refresh_token.kept())
            .await?;
        Ok(LoggedIn {
            account,
            refresh_token,
        })
    }

    /// Keeps somebody logged in, with the role that they have now.
    ///
    /// # Errors
    /// Where the token is not valid, or the store fails.
    pub async fn reissue(&self, shown: &RefreshToken) -> Result<LoggedIn, AccountError> {
        let next = RefreshToken::new();
        let rotation = self
            .store
            .rotate(&shown.hash(), &next.kept(), GRACE_S)
            .await?;
        match rotation {
            Rotation::Rotated(account) => Ok(LoggedIn {
                account,
                refresh_token: next,
            }),
            Rotation::Reused(user_id) => Err(AccountError::ReusedRefreshToken(user_id)),
            Rotation::Refused => Err(AccountError::WrongRefreshToken),
        }
    }

    /// Logs somebody out. A token that is not valid logs nobody out.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn logout(&self, shown: &RefreshToken) -> Result<(), AccountError> {
        Ok(self.store.revoke(&shown.hash()).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_is_long_and_is_not_shown() {
        let token = RefreshToken::new();
        assert_eq!(token.secret().len(), 43);
        assert_ne!(token, RefreshToken::new());
        assert!(!format!("{token:?}").contains(token.secret()));
        assert_eq!(RefreshToken::shown(token.secret()), Some(token.clone()));
        for other in ["", "x", "ä", &token.secret()[1..], "a.b.c"] {
            assert_eq!(RefreshToken::shown(other), None, "{other}");
        }
    }
}
