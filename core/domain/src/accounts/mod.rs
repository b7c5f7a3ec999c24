//! Users, usernames, passwords and roles.

mod account;
mod user;

pub use account::{
    Account, MAX_PASSWORD, MAX_USERNAME, MIN_PASSWORD, Password, Role, Unfit, Username,
};
pub use user::{User, UserId};
