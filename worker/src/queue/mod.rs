//! The queue of notifications: its consumer and its in-memory implementation.

pub(crate) mod consumer;
mod memory;

use balance_redis::RedisNotifier;

pub use memory::{MemoryBackend, MemoryNotifier};

/// The queue that a worker consumes.
pub enum NotificationBackend {
    /// The in-memory queue of this process.
    Embedded(MemoryBackend),
    /// The Redis queue of a fleet.
    Redis(RedisNotifier),
}
