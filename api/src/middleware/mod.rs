//! The layers around all handlers.

pub(crate) mod cors;
pub(crate) mod methods;
pub(crate) mod stack;
