//! Accounts, their credentials and refresh tokens.

pub(crate) mod credentials;
pub(crate) mod refresh_tokens;
pub(crate) mod types;

pub use types::{Credential, CredentialError, NewToken, PasswordHash, Rotation, TokenHash};
