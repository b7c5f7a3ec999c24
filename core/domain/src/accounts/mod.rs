//! Users, usernames, passwords and roles.

mod account;
mod user;

pub use account::{
    Account, InvalidInput, MAX_PASSWORD, MAX_USERNAME, MIN_PASSWORD, Password, Role, Username,
};
pub use user::{User, UserId};
