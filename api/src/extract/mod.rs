//! Extraction of bodies, dates, cursors, languages and idempotency keys from requests.

pub(crate) mod body;
pub(crate) mod cursor;
pub(crate) mod date;
pub(crate) mod idempotency;
pub(crate) mod language;
