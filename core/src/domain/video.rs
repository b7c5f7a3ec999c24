//! Videos and their opening counts.

use super::user::UserId;
use std::fmt;

/// A video's id, 1 and up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VideoId(pub i64);

impl fmt::Display for VideoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A video as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    /// The video's id.
    pub id: VideoId,
    /// Whoever uploaded it and earns from it.
    pub owner_id: UserId,
    /// What people read.
    pub title: String,
    /// Length in seconds, 1 to [`MAX_DURATION_S`].
    pub duration_s: i64,
}

/// The longest video, in seconds: one day.
pub const MAX_DURATION_S: i64 = 86_400;

/// Lifetime counts that a video brings from another system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningBalance {
    /// The video, which need not be registered yet.
    pub video_id: VideoId,
    /// Counted views before the first settled day, 0 to [`MAX_OPENING_COUNT`].
    pub view_count: i64,
    /// Ad views before the first settled day, 0 to [`MAX_OPENING_COUNT`].
    pub ad_view_count: i64,
}

/// The largest opening count: a million million, far beyond any video and far below overflow.
pub const MAX_OPENING_COUNT: i64 = 1_000_000_000_000;
