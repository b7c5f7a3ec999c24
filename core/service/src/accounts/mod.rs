//! Accounts: sign-up, login, refresh tokens and logout.

pub mod passwords;

use crate::accounts::passwords::{PasswordError, Passwords};
use balance_domain::{
    accounts::{Account, Password, Role, UserId, Username},
    units::SECONDS_PER_DAY,
};
use balance_store::{
    Store, StoreError,
    accounts::{CredentialError, NewToken, Rotation, TokenHash},
    operations::Generation,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc};

/// The lifetime of a refresh token, in seconds: one day.
pub const REFRESH_S: u32 = SECONDS_PER_DAY;
/// How long a used refresh token is accepted once more, in seconds. Two tabs of a browser may
/// refresh at the same moment.
const GRACE_S: u32 = 10;
const TOKEN_BYTES: usize = 32;

/// A refresh token in plain text: 32 random bytes in Base64. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(String);

impl RefreshToken {
    fn new() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; TOKEN_BYTES]>()))
    }

    /// Parses a token from a client. Returns `None` if the text cannot be a token, which saves the
    /// lookup.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == TOKEN_BYTES).then(|| Self(text.to_owned()))
    }

    /// Returns the plain text, which only the owner may see.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// Returns the stored form, which depends on the generation: no token of before a restore is found
    /// afterwards.
    fn hash(&self, generation: Generation) -> TokenHash {
        let mut hash = Sha256::new_with_prefix(self.0.as_bytes());
        // Without a restore the form is the one of versions without generations.
        if generation != Generation::default() {
            hash.update(generation.0.to_be_bytes());
        }
        TokenHash(hash.finalize().into())
    }

    fn to_new_token(&self, generation: Generation) -> NewToken {
        NewToken {
            hash: self.hash(generation),
            lifetime_s: REFRESH_S,
        }
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

/// A successful login or token exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedIn {
    pub account: Account,
    pub refresh_token: RefreshToken,
}

/// An error of the account service.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name is reserved for imported users.
    #[error("names such as user-1 and creator-1 are reserved for imported users")]
    ReservedUsername,
    /// The user is unknown or the password is wrong. The two cases are not distinguished, so that a
    /// client cannot probe for usernames.
    #[error("the username or the password is wrong")]
    WrongCredentials,
    /// The refresh token is unknown, revoked or expired.
    #[error("the refresh token is not valid")]
    WrongRefreshToken,
    /// The refresh token was used before. All tokens of its family are revoked.
    #[error("the refresh token was used before")]
    ReusedRefreshToken(UserId),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Manages accounts and logins.
#[derive(Clone)]
pub struct Accounts {
    store: Arc<Store>,
    passwords: Passwords,
}

impl Accounts {
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            passwords: Passwords::default(),
        }
    }

    /// Creates an account with the role of a user.
    ///
    /// # Errors
    /// If the name is taken or reserved, or the store fails.
    pub async fn join(
        &self,
        username: &Username,
        password: Password,
    ) -> Result<Account, AccountError> {
        self.create(username, password, Role::User).await
    }

    /// Creates an account with a role. Not for sign-up, which must not create admins.
    ///
    /// # Errors
    /// If the name is taken or reserved, or the store fails.
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

    /// Changes the role of an account.
    ///
    /// # Errors
    /// If the user does not exist, or the store fails.
    pub async fn grant(&self, username: &Username, role: Role) -> Result<(), AccountError> {
        Ok(self.store.grant(username, role).await?)
    }

    /// Changes the password of an account and revokes all of its refresh tokens.
    ///
    /// # Errors
    /// If the user does not exist, or the store fails.
    pub async fn set_password(
        &self,
        username: &Username,
        password: Password,
    ) -> Result<(), AccountError> {
        let hash = self.passwords.hash(password).await?;
        Ok(self.store.set_password(username, &hash).await?)
    }

    /// Logs a user in and begins a family of refresh tokens.
    ///
    /// # Errors
    /// If the username or the password is wrong, or the store fails.
    pub async fn login(
        &self,
        username: &Username,
        password: Password,
    ) -> Result<LoggedIn, AccountError> {
        let credential = self.store.credential(username).await?;
        let (account, hash) = credential
            .map(|credential| (credential.account, credential.password_hash))
            .unzip();
        let is_right = self.passwords.verify(password, hash).await?;
        let Some(account) = account.filter(|_| is_right) else {
            return Err(AccountError::WrongCredentials);
        };
        let refresh_token = RefreshToken::new();
        let token = refresh_token.to_new_token(self.generation());
        self.store.begin_family(account.user_id, &token).await?;
        Ok(LoggedIn {
            account,
            refresh_token,
        })
    }

    /// Exchanges a refresh token for a new one. The account has its current role.
    ///
    /// # Errors
    /// If the token is not valid or was used before, or the store fails.
    pub async fn reissue(&self, token: &RefreshToken) -> Result<LoggedIn, AccountError> {
        let next = RefreshToken::new();
        let generation = self.generation();
        let (presented, replaced) = (token.hash(generation), next.to_new_token(generation));
        let rotation = self.store.rotate(&presented, &replaced, GRACE_S).await?;
        match rotation {
            Rotation::Rotated(account) => Ok(LoggedIn {
                account,
                refresh_token: next,
            }),
            Rotation::Reused(user_id) => Err(AccountError::ReusedRefreshToken(user_id)),
            Rotation::Rejected => Err(AccountError::WrongRefreshToken),
        }
    }

    /// Revokes the family of a refresh token. Ignores a token that is not valid.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn logout(&self, token: &RefreshToken) -> Result<(), AccountError> {
        let presented = token.hash(self.generation());
        Ok(self.store.revoke(&presented).await?)
    }

    fn generation(&self) -> Generation {
        self.store.generation().get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_of_a_refresh_token_depends_on_the_generation() {
        let token = RefreshToken::new();
        let [none, first, second] = [0, 1, 2].map(|number| token.hash(Generation(number)));
        assert_eq!(none.0, <[u8; 32]>::from(Sha256::digest(token.secret())));
        assert!(none != first && first != second && none != second);
    }

    #[test]
    fn a_refresh_token_is_long_and_hidden_in_debug_output() {
        let token = RefreshToken::new();
        assert_eq!(token.secret().len(), 43);
        assert_ne!(token, RefreshToken::new());
        assert!(!format!("{token:?}").contains(token.secret()));
        assert_eq!(RefreshToken::parse(token.secret()), Some(token.clone()));
        for other in ["", "x", "ä", &token.secret()[1..], "a.b.c"] {
            assert_eq!(RefreshToken::parse(other), None, "{other}");
        }
    }
}
