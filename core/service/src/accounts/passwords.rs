//! Hashing and comparing passwords, off the threads that serve everybody else.

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

/// How long a request waits for its turn to hash.
const TURN_LIMIT: Duration = Duration::from_secs(5);
/// What a password is compared to where there is no such user, so that this takes as long.
static NOBODY: LazyLock<Option<PasswordHash>> = LazyLock::new(|| hash(b"nobody").ok());

/// Why nothing was hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many wait for the same.
    #[error("too many passwords are being checked")]
    Busy,
    /// The hash cannot be read, or the machine has no memory left.
    #[error("a password could not be hashed: {0}")]
    Failed(String),
}

impl From<password_hash::Error> for PasswordError {
    fn from(error: password_hash::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Hashes with Argon2id at the costs that OWASP asks for: 19 MiB, two passes, one lane. At most one
/// a core at a time.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            turns: Arc::new(Semaphore::new(cores)),
        }
    }
}

impl Passwords {
    /// What is kept of a password.
    ///
    /// # Errors
    /// Where it is not its turn in time.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, PasswordError> {
        self.in_turn(move || hash(password.as_bytes())).await
    }

    /// Whether it is this password. Without a hash it is not, after as long a time.
    ///
    /// # Errors
    /// Where it is not its turn in time, or the stored hash is none.
    pub async fn is(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
    ) -> Result<bool, PasswordError> {
        self.in_turn(move || {
            let is_known = hash.is_some();
            let Some(hash) = hash.or_else(|| NOBODY.clone()) else {
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

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let turn = timeout(TURN_LIMIT, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(PasswordError::Busy);
        };
        // The turn ends with the work, also where the request has gone.
        let work = spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
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
    async fn a_password_is_itself_only_and_its_hash_says_nothing() {
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
        let is = async |text, hash| passwords.is(password(text), hash).await.unwrap();
        assert!(is("correct horse", Some(hash.clone())).await);
        assert!(!is("correct house", Some(hash)).await);
        assert!(!is("nobodynobody", None).await);
        assert!(
            !passwords
                .is(Password::given("nobody").unwrap(), None)
                .await
                .unwrap()
        );
        let damaged = Some(PasswordHash("plain".to_owned()));
        assert!(
            passwords
                .is(password("correct horse"), damaged)
                .await
                .is_err()
        );
    }
}
