//! Videos and their opening balances.

use crate::{accounts::UserId, units::SECONDS_PER_DAY};
use std::fmt;

/// A video's id, 1 and up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VideoId(pub i64);

impl VideoId {
    /// Returns the synthetic creator who owns this video if the imported source has no owner. The
    /// creator's number is the video id mod 100.
    #[must_use]
    pub fn synthetic_owner(self) -> UserId {
        UserId::synthetic_creator(self.0)
    }
}

impl fmt::Display for VideoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A video as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    pub id: VideoId,
    /// The creator who uploaded the video and receives its revenue.
    pub owner_id: UserId,
    pub title: String,
    /// Length in seconds, 1 to [`MAX_DURATION_S`].
    pub duration_s: i64,
}

/// Maximum length of a title, in characters.
pub const MAX_TITLE: usize = 200;

/// The title of a video or an ad: 1 to [`MAX_TITLE`] characters, no control characters, not only
/// white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title(String);

impl Title {
    /// Validates a title.
    ///
    /// # Errors
    /// Returns the rule that the text violates.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.trim().is_empty() {
            return Err("must not be empty");
        }
        if text.chars().count() > MAX_TITLE {
            return Err("must have at most 200 characters");
        }
        if text.chars().any(char::is_control) {
            return Err("must have no control characters");
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Maximum length of a video, in seconds: 24 hours.
pub const MAX_DURATION_S: i64 = SECONDS_PER_DAY as i64;

/// The lifetime counts of a video that was migrated from another system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningBalance {
    /// The video, which need not be registered yet.
    pub video_id: VideoId,
    /// Counted views before the first settled day, 0 to [`MAX_OPENING_COUNT`].
    pub view_count: i64,
    /// Ad views before the first settled day, 0 to [`MAX_OPENING_COUNT`].
    pub ad_view_count: i64,
}

/// Maximum opening count. It is far above the count of any real video and far below overflow.
pub const MAX_OPENING_COUNT: i64 = 1_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_without_owner_belongs_to_the_creator_of_its_last_two_digits() {
        assert_eq!(VideoId(3_381_812).synthetic_owner(), UserId(9_000_000_012));
    }

    #[test]
    fn titles_are_readable() {
        for title in [
            "a",
            "고양이 🐈",
            "'; DROP TABLE video; --",
            "<script>",
            &"x".repeat(200),
        ] {
            assert_eq!(Title::parse(title).unwrap().as_str(), title);
        }
        for title in ["", " ", "\u{3000}", "a\nb", "a\u{0}", &"x".repeat(201)] {
            assert!(Title::parse(title).is_err(), "{title:?}");
        }
    }
}
