//! The events of a fleet: the event writer, and the suppressed counts.

pub(crate) mod suppressed;
pub(crate) mod writer;
