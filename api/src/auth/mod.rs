//! Who asks: access tokens and the guards of operations.

pub(crate) mod token;
pub(crate) mod user;
