//! Users, usernames, passwords and roles.

mod account;
mod user;

pub use account::{
    Account, InvalidInput, MAX_PASSWORD, MAX_USERNAME, MIN_PASSWORD, NEW_ACCOUNT_S, Password, Role,
    Username,
};
pub use user::{User, UserId};
