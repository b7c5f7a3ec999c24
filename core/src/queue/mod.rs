//! The queue's adapters, and the backends that a worker consumes.

mod ring;

mod embedded;

mod redis;

pub use embedded::{EmbeddedBackend, EmbeddedQueue};
pub use redis::{RedisBackend, RedisQueue, Ticks};
pub use ring::{Ring, RingCodec};

/// What a worker consumes.
pub enum QueueBackend {
    /// The rings of this process.
    Embedded(EmbeddedBackend),
    /// The rings of a fleet.
    Redis(RedisQueue),
}
