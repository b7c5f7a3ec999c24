//! Settlement by processes: results, concurrency, crashes, a full disk and replies.

mod concurrency;
mod disk;
pub(crate) mod figures;
mod joins;
pub(crate) mod kills;
mod memory;
