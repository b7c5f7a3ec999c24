//! What a fleet keeps in Redis: notifications for workers (apalis-redis), the intake's keys, and the
//! event stream.

mod connection;
mod event;
mod intake;
mod notification;
mod notifier;
mod shard;
mod stream;

pub use intake::RedisIntake;
pub use notification::{Ring, RingCodec};
pub use notifier::{RedisBackend, RedisQueue, Ticks};
pub use stream::RedisStream;
