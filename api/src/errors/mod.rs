//! Problems (RFC 9457), and the errors that they are made from.

pub(crate) mod framework;
pub(crate) mod problem;
pub(crate) mod responses;
pub(crate) mod services;
