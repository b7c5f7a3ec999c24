//! A fleet's events: the writer that persists them, and the suppressed counts.

pub(crate) mod suppressed;
pub(crate) mod writer;
