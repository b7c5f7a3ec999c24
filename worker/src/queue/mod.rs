//! Notifications as they arrive: the consumer and its backends.

pub(crate) mod consumer;
mod memory;

use balance_redis::RedisNotifier;

pub use memory::{MemoryBackend, MemoryNotifier};

/// What a worker consumes.
pub enum NotificationBackend {
    /// The notifications of this process.
    Embedded(MemoryBackend),
    /// The notifications of a fleet.
    Redis(RedisNotifier),
}
