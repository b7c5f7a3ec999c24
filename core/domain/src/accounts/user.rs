//! Users: viewers, creators and admins.

use std::fmt;

/// A user's id, 1 and up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A user as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// The unique login name.
    pub username: String,
}

/// First id of the synthetic creators, who own the imported videos that have no owner.
const SYNTHETIC_BASE: i64 = 9_000_000_000;
/// Number of synthetic creators.
const SYNTHETIC_COUNT: i64 = 100;

impl UserId {
    /// Returns the synthetic creator with number `number` mod 100.
    pub(crate) fn synthetic_creator(number: i64) -> Self {
        Self(SYNTHETIC_BASE + number.rem_euclid(SYNTHETIC_COUNT))
    }

    /// Returns the username that an import assigns: `creator-n` for a synthetic creator, otherwise
    /// `user-<id>`.
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

    #[test]
    fn imports_name_synthetic_creators_by_number_and_other_users_by_id() {
        assert_eq!(UserId::synthetic_creator(312), UserId(9_000_000_012));
        assert_eq!(UserId(9_000_000_012).imported_username(), "creator-12");
        assert_eq!(UserId(9_000_000_100).imported_username(), "user-9000000100");
        assert_eq!(UserId(4854).imported_username(), "user-4854");
    }
}
