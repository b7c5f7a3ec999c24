//! Adapters for Redis: the notifier (on apalis-redis), the intake and the event stream of a fleet.

mod backlog;
mod by_video;
mod clock;
mod connection;
mod entry;
mod event;
mod group;
mod highest_ids;
mod identity;
mod intake;
mod keys;
mod notification;
mod notifier;
mod stream;
mod stream_error;
mod suppressed;

pub use connection::check_url;
pub use intake::{IntakeSettings, RedisIntake};
pub use notification::NotificationCodec;
pub use notifier::{PollInterval, RedisBackend, RedisNotifier};
pub use stream::RedisStream;
