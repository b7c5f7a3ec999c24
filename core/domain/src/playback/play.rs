//! Imported plays.

use crate::{accounts::UserId, units::SECONDS_PER_DAY, videos::VideoId};

/// Maximum play time of one play, in seconds: 24 hours. It may exceed the video's length, because
/// players can repeat short videos.
pub const MAX_PLAY_TIME_S: i64 = SECONDS_PER_DAY as i64;

/// A play as recorded by another system: the view and its seconds in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Play {
    /// The viewer.
    pub user_id: UserId,
    pub video_id: VideoId,
    /// The owner of the video.
    pub owner_id: UserId,
    /// Start of the play, in microseconds since 1970 (UTC).
    pub started_at_micros: i64,
    /// Seconds watched, 0 to [`MAX_PLAY_TIME_S`].
    pub play_time_s: i64,
    /// The video's length, in seconds.
    pub duration_s: i64,
}
