//! Errors of the API, their conversion from other errors, and their problems (RFC 9457).

pub(crate) mod framework;
pub(crate) mod problem;
pub(crate) mod responses;
pub(crate) mod services;
