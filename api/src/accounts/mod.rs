//! Accounts over HTTP, and the limits on attempts.

pub(crate) mod address;
pub(crate) mod limiter;
pub(crate) mod resource;
