//! Videos and their opening counts.

use crate::accounts::UserId;
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

/// The longest title, in characters.
pub const MAX_TITLE: usize = 200;

/// A title that somebody gives a video or an ad: 1 to [`MAX_TITLE`] characters, not all of them
/// white space, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title(String);

impl Title {
    /// A title, if the text can be one.
    ///
    /// # Errors
    /// Why not.
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

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_what_people_can_read() {
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
