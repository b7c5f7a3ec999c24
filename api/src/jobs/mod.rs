//! Jobs: reading, watching and controlling their executions.

pub(crate) mod control;
pub(crate) mod progress;
pub(crate) mod resource;
pub(crate) mod sse;
pub(crate) mod status;
pub(crate) mod views;
