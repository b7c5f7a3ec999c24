//! Password hashing, on threads of its own so that it does not block other requests.

use argon2::{
    Argon2, PasswordHasher, PasswordVerifier,
    password_hash::{self, phc},
};
use balance_domain::accounts::Password;
use balance_store::accounts::PasswordHash;
use std::{
    sync::{Arc, LazyLock},
    thread::available_parallelism,
    time::Duration,
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

/// How long a request waits for a permit to hash.
const PERMIT_LIMIT: Duration = Duration::from_secs(5);
/// The hash that the password of an unknown user is compared with, so that unknown usernames take
/// equally long.
static UNKNOWN_USER: LazyLock<Option<PasswordHash>> = LazyLock::new(|| hash(b"unknown").ok());

/// The reason why a password was not hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many requests wait for a permit.
    #[error("too many passwords are being hashed")]
    Busy,
    /// The stored hash is damaged, or memory is exhausted.
    #[error("failed to hash a password: {0}")]
    Failed(String),
}

impl From<password_hash::Error> for PasswordError {
    fn from(error: password_hash::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Hashes passwords with Argon2id at the cost that OWASP recommends: 19 MiB, two passes, one lane.
/// Computes at most one hash per core at a time.
#[derive(Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            permits: Arc::new(Semaphore::new(cores)),
        }
    }
}

impl Passwords {
    /// Hashes a password with a random salt.
    ///
    /// # Errors
    /// If no permit is free in time, or the hashing fails.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, PasswordError> {
        self.with_permit(move || hash(password.as_bytes())).await
    }

    /// Returns whether a password matches a hash. Without a hash it returns false after an equally
    /// long time.
    ///
    /// # Errors
    /// If no permit is free in time, or the stored hash is damaged.
    pub async fn verify(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
    ) -> Result<bool, PasswordError> {
        self.with_permit(move || {
            let is_known = hash.is_some();
            let Some(hash) = hash.or_else(|| UNKNOWN_USER.clone()) else {
                return Ok(false);
            };
            match Argon2::default().verify_password(password.as_bytes(), hash.0.as_str()) {
                Ok(()) => Ok(is_known),
                Err(password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    async fn with_permit<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let permit = timeout(PERMIT_LIMIT, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(PasswordError::Busy);
        };
        // The permit is released when the work ends, even if the client has disconnected.
        let work = spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        work.await
            .unwrap_or_else(|error| Err(PasswordError::Failed(error.to_string())))
    }
}

fn hash(password: &[u8]) -> Result<PasswordHash, PasswordError> {
    let salt: [u8; 16] = rand::random();
    let hash: phc::PasswordHash = Argon2::default().hash_password_with_salt(password, &salt)?;
    Ok(PasswordHash(hash.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_matches_only_its_password_and_is_salted() {
        let passwords = Passwords::default();
        let password = |text| Password::new(text).unwrap();
        let hash = passwords.hash(password("correct horse")).await.unwrap();
        assert!(
            hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            hash.0
        );
        let again = passwords.hash(password("correct horse")).await.unwrap();
        assert_ne!(hash, again, "salted");
        let is = async |text, hash| passwords.verify(password(text), hash).await.unwrap();
        assert!(is("correct horse", Some(hash.clone())).await);
        assert!(!is("correct house", Some(hash)).await);
        assert!(!is("unknown user", None).await);
        assert!(
            !passwords
                .verify(Password::for_login("unknown").unwrap(), None)
                .await
                .unwrap()
        );
        let damaged = Some(PasswordHash("plain".to_owned()));
        assert!(
            passwords
                .verify(password("correct horse"), damaged)
                .await
                .is_err()
        );
    }
}
