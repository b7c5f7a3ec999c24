//! People: viewers, creators and admins.

use std::fmt;

/// A user's id, 1 and up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A person as the store keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The unique name to log in with.
    pub username: String,
}

/// First id of the synthetic creators, who own the imported videos that name no owner.
const SYNTHETIC_BASE: i64 = 9_000_000_000;
/// How many synthetic creators there are.
const SYNTHETIC_COUNT: i64 = 100;

impl UserId {
    /// The synthetic creator of a video whose source names no owner: n = video id mod 100.
    #[must_use]
    pub fn synthetic_creator(video_id: crate::videos::VideoId) -> Self {
        Self(SYNTHETIC_BASE + video_id.0.rem_euclid(SYNTHETIC_COUNT))
    }

    /// The name of a user who came with an import: `creator-n` for a synthetic creator,
    /// `user-<id>` for everybody else.
    #[must_use]
    pub fn imported_username(self) -> String {
        match self.0 - SYNTHETIC_BASE {
            n @ 0..SYNTHETIC_COUNT => format!("creator-{n}"),
            _ => format!("user-{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::videos::VideoId;

    #[test]
    fn a_video_without_owner_belongs_to_the_creator_of_its_last_two_digits() {
        assert_eq!(
            UserId::synthetic_creator(VideoId(3_381_812)),
            UserId(9_000_000_012)
        );
        assert_eq!(UserId(9_000_000_012).imported_username(), "creator-12");
        assert_eq!(UserId(9_000_000_100).imported_username(), "user-9000000100");
        assert_eq!(UserId(4854).imported_username(), "user-4854");
    }
}
