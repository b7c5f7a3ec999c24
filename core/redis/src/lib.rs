//! Adapters for Redis: the notifier (on apalis-redis), the intake and the event stream of a fleet.

mod connection;
mod entry;
mod event;
mod intake;
mod keys;
mod notification;
mod notifier;
mod stream;

pub use intake::RedisIntake;
pub use notification::NotificationCodec;
pub use notifier::{PollInterval, RedisBackend, RedisNotifier};
pub use stream::RedisStream;
