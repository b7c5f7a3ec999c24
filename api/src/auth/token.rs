//! Access tokens: who somebody is and what they may do, signed, for ten minutes.

use balance_domain::{
    accounts::{Account, Role, UserId},
    clock::Clock,
};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc};

/// How long an access token is taken, in seconds: ten minutes.
pub(crate) const ACCESS_S: i64 = 600;
/// The shortest secret, in bytes: as long as the hash of HS256 (RFC 7518, 3.2).
const MIN_SECRET: usize = 32;
/// The fewest different bytes of a secret: a phrase said over and over has fewer, chance more.
const MIN_DIFFERENT: usize = 10;
/// The most secrets.
const MAX_SECRETS: usize = 8;
const MICROS_PER_S: i64 = 1_000_000;
const ISSUER: &str = "balance";

/// Why a text holds no secrets to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// Too short.
    #[error("a secret needs 32 bytes and more; `openssl rand -hex 32` makes one")]
    Short,
    /// Easily guessed.
    #[error("a secret is easily guessed; `openssl rand -hex 32` makes one")]
    Simple,
    /// Too many.
    #[error("there are more than 8 secrets")]
    Many,
}

/// A secret that signs.
struct Key {
    /// Its name in the tokens that it signed: says nothing about it.
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl Key {
    fn of(secret: &str) -> Result<Self, WeakSecret> {
        let bytes = secret.as_bytes();
        if bytes.len() < MIN_SECRET {
            return Err(WeakSecret::Short);
        }
        let mut different = bytes.to_vec();
        different.sort_unstable();
        different.dedup();
        if different.len() < MIN_DIFFERENT {
            return Err(WeakSecret::Simple);
        }
        let hash = Sha256::digest(bytes);
        Ok(Self {
            id: hash[..4].iter().map(|byte| format!("{byte:02x}")).collect(),
            encoding: EncodingKey::from_secret(bytes),
            decoding: DecodingKey::from_secret(bytes),
        })
    }
}

/// The secrets: the first signs, all are taken. To rotate them, a new one is put in front of the
/// old one, which is taken away ten minutes later.
pub struct Secrets(Vec<Key>);

impl Secrets {
    /// Secrets, separated by commas.
    ///
    /// # Errors
    /// Where one is too short or too simple, or there are too many. None is repeated.
    pub fn parse(text: &str) -> Result<Self, WeakSecret> {
        let keys: Vec<Key> = text
            .split(',')
            .map(|secret| Key::of(secret.trim()))
            .collect::<Result<_, _>>()?;
        if keys.len() > MAX_SECRETS {
            return Err(WeakSecret::Many);
        }
        Ok(Self(keys))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// Somebody who has shown an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) user_id: UserId,
    pub(crate) role: Role,
}

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    role: String,
    iat: i64,
    exp: i64,
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenError {
    Expired,
    Invalid,
}

/// Makes and reads access tokens.
pub(crate) struct Tokens {
    keys: Vec<Key>,
    validation: Validation,
    clock: Arc<dyn Clock>,
}

impl Tokens {
    pub(crate) fn new(Secrets(keys): Secrets, clock: Arc<dyn Clock>) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // By the injected clock instead, to the second.
        validation.validate_exp = false;
        Self {
            keys,
            validation,
            clock,
        }
    }

    /// A token for somebody; none where signing fails.
    pub(crate) fn issue(&self, account: &Account) -> Option<String> {
        let key = self.keys.first()?;
        let now_s = self.now_s();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: account.user_id.to_string(),
            role: account.role.name().to_owned(),
            iat: now_s,
            exp: now_s + ACCESS_S,
        };
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key.id.clone());
        encode(&header, &claims, &key.encoding).ok()
    }

    /// Who shows a token.
    pub(crate) fn read(&self, token: &str) -> Result<Person, TokenError> {
        let read = || {
            let kid = decode_header(token).ok()?.kid?;
            let key = self.keys.iter().find(|key| key.id == kid)?;
            let claims: Claims = decode(token, &key.decoding, &self.validation).ok()?.claims;
            let person = Person {
                user_id: UserId(claims.sub.parse().ok().filter(|id| *id > 0)?),
                role: Role::of(&claims.role)?,
            };
            Some((person, claims.exp))
        };
        let (person, until_s) = read().ok_or(TokenError::Invalid)?;
        if until_s <= self.now_s() {
            return Err(TokenError::Expired);
        }
        Ok(person)
    }

    fn now_s(&self) -> i64 {
        self.clock.now_micros().div_euclid(MICROS_PER_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use balance_domain::accounts::Username;
    use std::sync::atomic::{AtomicI64, Ordering};

    const OLD: &str = "old-0123456789abcdefghijklmnopqrstuv";
    const NEW: &str = "new-0123456789abcdefghijklmnopqrstuv";

    #[derive(Default)]
    struct SetClock(AtomicI64);

    impl Clock for SetClock {
        fn now_micros(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn tokens(secrets: &str, clock: &Arc<SetClock>) -> Tokens {
        Tokens::new(
            Secrets::parse(secrets).unwrap(),
            Arc::<SetClock>::clone(clock),
        )
    }

    fn account() -> Account {
        Account {
            user_id: UserId(7),
            username: Username::parse("minsu").unwrap(),
            role: Role::Admin,
        }
    }

    #[test]
    fn a_token_is_taken_for_ten_minutes() {
        let clock = Arc::new(SetClock::default());
        let tokens = tokens(NEW, &clock);
        let token = tokens.issue(&account()).unwrap();
        let person = Person {
            user_id: UserId(7),
            role: Role::Admin,
        };
        clock.0.store(599_999_999, Ordering::Relaxed);
        assert_eq!(tokens.read(&token), Ok(person));
        clock.0.store(600_000_000, Ordering::Relaxed);
        assert_eq!(tokens.read(&token), Err(TokenError::Expired));
    }

    #[test]
    fn secrets_are_rotated_without_logging_anybody_out() {
        let clock = Arc::new(SetClock::default());
        let before = tokens(OLD, &clock);
        let during = tokens(&format!("{NEW}, {OLD}"), &clock);
        let after = tokens(NEW, &clock);
        let old = before.issue(&account()).unwrap();
        let new = during.issue(&account()).unwrap();
        assert!(during.read(&old).is_ok() && during.read(&new).is_ok() && after.read(&new).is_ok());
        assert_eq!(after.read(&old), Err(TokenError::Invalid));
        assert_eq!(before.read(&new), Err(TokenError::Invalid));
    }

    #[test]
    fn other_tokens_are_not_taken() {
        let clock = Arc::new(SetClock::default());
        let tokens = tokens(NEW, &clock);
        let token = tokens.issue(&account()).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        // {"alg":"none","typ":"JWT"}
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]);
        let cut = &token[..token.len() - 1];
        let unnamed = encode(
            &Header::new(Algorithm::HS256),
            &serde_json::json!({"iss": ISSUER, "sub": "7", "role": "ADMIN", "iat": 0, "exp": 600}),
            &EncodingKey::from_secret(NEW.as_bytes()),
        );
        for token in ["", "a.b.c", &unsigned, cut, &unnamed.unwrap()] {
            assert_eq!(tokens.read(token), Err(TokenError::Invalid), "{token}");
        }
    }

    #[test]
    fn weak_secrets_are_refused_and_none_is_shown() {
        for (secret, reason) in [
            ("", WeakSecret::Short),
            ("0123456789abcdefghijklmnopqrstu", WeakSecret::Short),
            (
                "change-me-change-me-change-me-change-me",
                WeakSecret::Simple,
            ),
            (&format!("{NEW},short"), WeakSecret::Short),
            (&format!("{NEW},"), WeakSecret::Short),
            (&[NEW; 9].join(","), WeakSecret::Many),
        ] {
            assert_eq!(Secrets::parse(secret).unwrap_err(), reason, "{secret}");
        }
        assert_eq!(format!("{:?}", Secrets::parse(NEW).unwrap()), "Secrets(…)");
    }
}
