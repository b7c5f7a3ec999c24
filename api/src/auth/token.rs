//! Access tokens: signed statements of a user's id and role, valid for ten minutes.

use balance_domain::{
    accounts::{Account, Role, UserId},
    clock::Clock,
    units::MICROS_PER_S,
};
use balance_service::playback::ViewerAccount;
use balance_store::operations::{CurrentGeneration, Generation};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc};

/// The lifetime of an access token, in seconds.
pub(crate) const ACCESS_S: i64 = 600;
/// The minimum length of a secret, in bytes: the length of the hash of HS256 (RFC 7518, 3.2).
const MIN_SECRET_BYTES: usize = 32;
/// The minimum number of distinct bytes of a secret. Random secrets have more, repeated words
/// fewer.
const MIN_DISTINCT_BYTES: usize = 10;
const MAX_SECRETS: usize = 8;
const ISSUER: &str = "balance";

/// The reason for which a list of secrets is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// A secret is too short.
    #[error("a secret needs at least 32 bytes; `openssl rand -hex 32` generates one")]
    Short,
    /// A secret is easy to guess.
    #[error("a secret is easy to guess; `openssl rand -hex 32` generates one")]
    Simple,
    /// There are too many secrets.
    #[error("there are more than 8 secrets")]
    Many,
}

/// A secret with its id.
struct Key {
    /// The `kid` of the tokens that it signed: a prefix of the secret's hash.
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl Key {
    fn new(secret: &str) -> Result<Self, WeakSecret> {
        let bytes = secret.as_bytes();
        if bytes.len() < MIN_SECRET_BYTES {
            return Err(WeakSecret::Short);
        }
        let mut distinct = bytes.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < MIN_DISTINCT_BYTES {
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

/// The secrets of access tokens. The first signs; all of them verify.
///
/// To rotate a secret, insert a new one before it and remove the old one ten minutes later.
pub struct Secrets(Vec<Key>);

impl Secrets {
    /// Parses secrets that are separated by commas.
    ///
    /// # Errors
    /// Returns an error if a secret is weak or there are more than 8. The error contains no secret.
    pub fn parse(text: &str) -> Result<Self, WeakSecret> {
        let keys: Vec<Key> = text
            .split(',')
            .map(|secret| Key::new(secret.trim()))
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

/// The user of a valid access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user_id: UserId,
    pub(crate) role: Role,
    /// The time when the account was created, in seconds since 1970 (UTC); `None` in a token of an
    /// earlier version.
    pub(crate) joined_s: Option<i64>,
}

impl Identity {
    /// Returns the user as a viewer.
    pub(crate) const fn viewer(self) -> ViewerAccount {
        ViewerAccount {
            user_id: self.user_id,
            joined_s: self.joined_s,
        }
    }
}

/// The claims of a token (RFC 7519).
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    role: String,
    iat: i64,
    exp: i64,
    /// The time when the account was created, in seconds since 1970 (UTC). Tokens of earlier versions
    /// have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joined: Option<i64>,
    /// The restore generation of the database. A database that was never restored issues none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<String>,
}

/// The reason for which a token is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenError {
    Expired,
    Invalid,
    /// The database was restored after the token was issued.
    Outdated,
}

/// Issues and verifies access tokens.
pub(crate) struct Tokens {
    keys: Vec<Key>,
    validation: Validation,
    clock: Arc<dyn Clock>,
    generation: CurrentGeneration,
}

impl Tokens {
    pub(crate) fn new(
        Secrets(keys): Secrets,
        clock: Arc<dyn Clock>,
        generation: CurrentGeneration,
    ) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // `verify` checks the expiry against the injected clock instead.
        validation.validate_exp = false;
        Self {
            keys,
            validation,
            clock,
            generation,
        }
    }

    /// Issues a token for an account. Returns `None` if signing fails.
    pub(crate) fn issue(&self, account: &Account) -> Option<String> {
        let key = self.keys.first()?;
        let now_s = self.now_s();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: account.user_id.to_string(),
            role: account.role.name().to_owned(),
            iat: now_s,
            exp: now_s + ACCESS_S,
            joined: Some(account.created_at.and_utc().timestamp()),
            generation: claim(self.generation.get()),
        };
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key.id.clone());
        encode(&header, &claims, &key.encoding).ok()
    }

    /// Verifies a token.
    pub(crate) fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        let parse = || {
            let kid = decode_header(token).ok()?.kid?;
            let key = self.keys.iter().find(|key| key.id == kid)?;
            let claims: Claims = decode(token, &key.decoding, &self.validation).ok()?.claims;
            let identity = Identity {
                user_id: UserId(claims.sub.parse().ok().filter(|id| *id > 0)?),
                role: Role::from_name(&claims.role)?,
                joined_s: claims.joined,
            };
            Some((identity, claims))
        };
        let (identity, claims) = parse().ok_or(TokenError::Invalid)?;
        if claims.exp <= self.now_s() {
            return Err(TokenError::Expired);
        }
        if claims.generation != claim(self.generation.get()) {
            return Err(TokenError::Outdated);
        }
        Ok(identity)
    }

    fn now_s(&self) -> i64 {
        self.clock.now_micros().div_euclid(MICROS_PER_S)
    }
}

/// Returns the claim of a generation.
fn claim(generation: Generation) -> Option<String> {
    (generation != Generation::default()).then(|| generation.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use balance_domain::accounts::Username;
    use balance_test_support::TestClock;
    use chrono::DateTime;

    const OLD: &str = "old-0123456789abcdefghijklmnopqrstuv";
    const NEW: &str = "new-0123456789abcdefghijklmnopqrstuv";

    fn tokens(secrets: &str, clock: &Arc<TestClock>) -> Tokens {
        Tokens::new(
            Secrets::parse(secrets).unwrap(),
            Arc::<TestClock>::clone(clock),
            CurrentGeneration::default(),
        )
    }

    fn account() -> Account {
        Account {
            user_id: UserId(7),
            username: Username::parse("minsu").unwrap(),
            role: Role::Admin,
            created_at: DateTime::from_timestamp(1_772_420_400, 0)
                .unwrap()
                .naive_utc(),
        }
    }

    #[test]
    fn a_token_is_valid_for_ten_minutes() {
        let clock = TestClock::at(0);
        let tokens = tokens(NEW, &clock);
        let token = tokens.issue(&account()).unwrap();
        let identity = Identity {
            user_id: UserId(7),
            role: Role::Admin,
            joined_s: Some(1_772_420_400),
        };
        clock.set(599_999_999);
        assert_eq!(tokens.verify(&token), Ok(identity));
        clock.set(600_000_000);
        assert_eq!(tokens.verify(&token), Err(TokenError::Expired));
    }

    #[test]
    fn secrets_are_rotated_without_logging_users_out() {
        let clock = TestClock::at(0);
        let before = tokens(OLD, &clock);
        let during = tokens(&format!("{NEW}, {OLD}"), &clock);
        let after = tokens(NEW, &clock);
        let old = before.issue(&account()).unwrap();
        let new = during.issue(&account()).unwrap();
        assert!(
            during.verify(&old).is_ok()
                && during.verify(&new).is_ok()
                && after.verify(&new).is_ok()
        );
        assert_eq!(after.verify(&old), Err(TokenError::Invalid));
        assert_eq!(before.verify(&new), Err(TokenError::Invalid));
    }

    #[test]
    fn a_token_of_an_earlier_version_has_no_age() {
        let tokens = tokens(NEW, &TestClock::at(0));
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(tokens.keys[0].id.clone());
        let claims =
            serde_json::json!({"iss": ISSUER, "sub": "7", "role": "USER", "iat": 0, "exp": 600});
        let token = encode(&header, &claims, &tokens.keys[0].encoding).unwrap();
        let identity = Identity {
            user_id: UserId(7),
            role: Role::User,
            joined_s: None,
        };
        assert_eq!(tokens.verify(&token), Ok(identity));
    }

    #[test]
    fn other_tokens_are_rejected() {
        let clock = TestClock::at(0);
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
            assert_eq!(tokens.verify(token), Err(TokenError::Invalid), "{token}");
        }
    }

    #[test]
    fn weak_secrets_are_rejected_and_not_printed() {
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
