//! The intake's adapters.

mod embedded;

mod event;

mod shard;

mod stream;

pub use embedded::EmbeddedIntake;
pub use stream::RedisStream;
