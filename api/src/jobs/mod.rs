//! Jobs over HTTP: reading, watching and controlling them.

pub(crate) mod control;
pub(crate) mod progress;
pub(crate) mod resource;
pub(crate) mod sse;
pub(crate) mod status;
pub(crate) mod views;
