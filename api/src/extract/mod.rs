//! What handlers take from a request: bodies, dates, cursors, languages, keys.

pub(crate) mod body;
pub(crate) mod cursor;
pub(crate) mod date;
pub(crate) mod idempotency;
pub(crate) mod language;
