//! Accounts, their credentials and refresh tokens.

mod account_row;
mod credentials;
mod refresh_tokens;

pub use credentials::{Credential, CredentialError, PasswordHash};
pub use refresh_tokens::{NewToken, Rotation, TokenHash};
