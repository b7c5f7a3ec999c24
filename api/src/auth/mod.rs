//! Authentication: access tokens and the security schemes of operations.

pub(crate) mod token;
pub(crate) mod user;
