//! Accounts, and the limits on attempts to log in and to join.

pub(crate) mod address;
pub(crate) mod limiter;
pub(crate) mod resource;
