//! The events of a fleet: the event writer, and the suppressed counts.

pub(crate) mod suppressed;
pub(crate) mod upgrade;
pub(crate) mod writer;
