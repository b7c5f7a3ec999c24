//! Settlement by processes: results, concurrency, crashes, a full disk and replies.

mod concurrency;
mod disk;
pub(crate) mod figures;
pub(crate) mod kills;
mod memory;
