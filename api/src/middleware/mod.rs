//! The layers around all handlers.

pub(crate) mod cors;
pub(crate) mod methods;
pub(crate) mod request_id;
pub(crate) mod stack;
