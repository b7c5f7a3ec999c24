//! The intake's adapters.

mod embedded;

mod event;

mod shard;

mod stream;

mod redis;

pub use embedded::EmbeddedIntake;
pub use redis::RedisIntake;
pub use stream::RedisStream;
