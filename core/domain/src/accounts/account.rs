//! Accounts: usernames, passwords and roles.

use crate::{accounts::UserId, units::SECONDS_PER_DAY};
use chrono::NaiveDateTime;
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// Maximum length of a username, in characters.
pub const MAX_USERNAME: usize = 64;
/// Minimum length of a password, in characters: the minimum of NIST SP 800-63B.
pub const MIN_PASSWORD: usize = 8;
/// Maximum length of a password, in characters. It bounds the cost of hashing.
pub const MAX_PASSWORD: usize = 256;

/// The reason why a text is not a valid username or password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidInput(&'static str);

/// A username: 1 to [`MAX_USERNAME`] characters without white space or invisible characters.
///
/// Usernames are case-sensitive. They are in Unicode normalization form C, because keyboards
/// compose characters differently.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

impl Username {
    /// Normalizes and validates a username.
    ///
    /// # Errors
    /// Returns the rule that the text violates.
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        // Rejects long texts before the cost of normalization. A character has at most four bytes
        // and few combining characters.
        if text.len() > MAX_USERNAME * 16 {
            return Err(InvalidInput("must have at most 64 characters"));
        }
        let name: String = text.nfc().collect();
        match name.chars().count() {
            0 => return Err(InvalidInput("must not be empty")),
            1..=MAX_USERNAME => {}
            _ => return Err(InvalidInput("must have at most 64 characters")),
        }
        if name.chars().any(|c| c.is_whitespace() || is_invisible(c)) {
            return Err(InvalidInput(
                "must have no white space and no invisible characters",
            ));
        }
        Ok(Self(name))
    }

    /// Returns whether the name is reserved for users that an import creates.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        ["user-", "creator-"].iter().any(|prefix| {
            let number = self.0.strip_prefix(prefix);
            number.is_some_and(|digits| {
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
            })
        })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns whether a character is a control character or only changes how other characters are
/// displayed. Such characters could make two different names look the same.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A password in clear text, of at most [`MAX_PASSWORD`] characters. Its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Validates a new password of [`MIN_PASSWORD`] to [`MAX_PASSWORD`] characters.
    ///
    /// # Errors
    /// Returns the rule that the text violates.
    pub fn new(text: &str) -> Result<Self, InvalidInput> {
        if text.chars().count() < MIN_PASSWORD {
            return Err(InvalidInput("must have at least 8 characters"));
        }
        Self::for_login(text)
    }

    /// Accepts a password to verify at login. It has no minimum length, because the stored password
    /// may have been set under other rules.
    ///
    /// # Errors
    /// Returns an error if the text exceeds [`MAX_PASSWORD`] characters.
    pub fn for_login(text: &str) -> Result<Self, InvalidInput> {
        if text.chars().count() > MAX_PASSWORD {
            return Err(InvalidInput("must have at most 256 characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the UTF-8 bytes to hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The permissions of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May watch and upload videos and read the revenue of own videos.
    User,
    /// May do all that a user may, and manage jobs, ads and rates.
    Admin,
}

impl Role {
    /// Returns the name used in tables and tokens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Admin => "ADMIN",
        }
    }

    /// Returns the role of that name, if it exists.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::User, Self::Admin]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// A user who can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub user_id: UserId,
    pub username: Username,
    pub role: Role,
    /// The time of its creation, in UTC.
    pub created_at: NaiveDateTime,
}

/// The age below which an account is new, in seconds. Its events say so.
pub const NEW_ACCOUNT_S: i64 = 7 * SECONDS_PER_DAY as i64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_normalized_and_have_no_invisible_characters() {
        for name in ["a", "민수", "a.b-c_d@example.com", &"x".repeat(64)] {
            assert_eq!(Username::parse(name).unwrap().as_str(), name);
        }
        // Decomposed Hangul and Latin, as some keyboards produce them.
        assert_eq!(
            Username::parse("\u{1106}\u{1175}\u{11ab}"),
            Username::parse("민")
        );
        assert_eq!(Username::parse("e\u{301}"), Username::parse("é"));
        for name in [
            "",
            " ",
            "a b",
            "a\tb",
            "a\u{0}b",
            "a\u{202e}b",
            "\u{feff}a",
            "a\u{3000}",
        ] {
            assert!(Username::parse(name).is_err(), "{name:?}");
        }
        assert!(Username::parse(&"x".repeat(65)).is_err());
        assert!(Username::parse(&"x".repeat(1_000_000)).is_err());
    }

    #[test]
    fn usernames_of_imports_are_reserved() {
        for (name, is_reserved) in [
            ("user-4854", true),
            ("creator-12", true),
            ("user-", false),
            ("user-x", false),
            ("User-1", false),
            ("superuser-1", false),
        ] {
            assert_eq!(
                Username::parse(name).unwrap().is_reserved(),
                is_reserved,
                "{name}"
            );
        }
    }

    #[test]
    fn passwords_have_bounds_and_are_not_shown() {
        assert!(Password::new("1234567").is_err());
        assert!(Password::new("여덟글자입니다요").is_ok());
        assert!(Password::new(&"글".repeat(256)).is_ok());
        assert!(Password::new(&"x".repeat(257)).is_err());
        assert!(Password::for_login("short").is_ok());
        let shown = format!("{:?}", Password::new("correct horse").unwrap());
        assert!(!shown.contains("horse"), "{shown}");
    }

    #[test]
    fn roles_read_back_from_their_names() {
        for role in [Role::User, Role::Admin] {
            assert_eq!(Role::from_name(role.name()), Some(role));
        }
        assert_eq!(Role::from_name("admin"), None);
    }
}
