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
pub use notification::{Notification, NotificationCodec};
pub use notifier::{RedisBackend, RedisNotifier, Ticks};
pub use stream::RedisStream;
