//! Notifications as they arrive: the consumer and its backends.

pub(crate) mod consumer;
mod memory;

use balance_redis::RedisQueue;

pub use memory::{EmbeddedBackend, EmbeddedQueue};

/// What a worker consumes.
pub enum QueueBackend {
    /// The notifications of this process.
    Embedded(EmbeddedBackend),
    /// The notifications of a fleet.
    Redis(RedisQueue),
}
