//! Accounts: names to log in with, passwords, roles.

use crate::accounts::UserId;
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// The longest name, in characters.
pub const MAX_USERNAME: usize = 64;
/// The shortest password, in characters: what NIST SP 800-63B asks for at least.
pub const MIN_PASSWORD: usize = 8;
/// The longest password, in characters: hashing more would cost more.
pub const MAX_PASSWORD: usize = 256;

/// Why a text can be no name or no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidInput(&'static str);

/// A name to log in with: 1 to [`MAX_USERNAME`] characters without white space and control
/// characters, told apart by case, in Unicode's normal form C, so that it is the same name from
/// whichever keyboard.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

impl Username {
    /// A name, if the text can be one.
    ///
    /// # Errors
    /// Why not.
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        // Before the work of normalizing: a character is at most four bytes, and composes of few.
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

    /// Whether imports give such names to those whose plays they bring: nobody may take one.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        ["user-", "creator-"].iter().any(|prefix| {
            let number = self.0.strip_prefix(prefix);
            number.is_some_and(|digits| {
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
            })
        })
    }

    /// Its text.
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

/// Control characters, and those that only change how others are shown: with them one name could
/// look like another.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A password as somebody typed it: [`MIN_PASSWORD`] to [`MAX_PASSWORD`] characters. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// A new password, if the text is fit for one.
    ///
    /// # Errors
    /// Why not.
    pub fn new(text: &str) -> Result<Self, InvalidInput> {
        if text.chars().count() < MIN_PASSWORD {
            return Err(InvalidInput("must have at least 8 characters"));
        }
        Self::given(text)
    }

    /// A password that is to be compared: a stored one may have been made under other rules.
    ///
    /// # Errors
    /// Where it is too long for any.
    pub fn given(text: &str) -> Result<Self, InvalidInput> {
        if text.chars().count() > MAX_PASSWORD {
            return Err(InvalidInput("must have at most 256 characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Its bytes, to hash.
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

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Watches, uploads, reads own revenue.
    User,
    /// Everything that a user may, and steers jobs, ads and rates.
    Admin,
}

impl Role {
    /// Its name in tables and tokens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Admin => "ADMIN",
        }
    }

    /// The role of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::User, Self::Admin]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// Somebody who has an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub user_id: UserId,
    /// The name to log in with.
    pub username: Username,
    /// What they may do.
    pub role: Role,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_one_form_and_show_all_that_they_are() {
        for name in ["a", "민수", "a.b-c_d@example.com", &"x".repeat(64)] {
            assert_eq!(Username::parse(name).unwrap().as_str(), name);
        }
        // Decomposed Hangul and Latin: as other keyboards type them.
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
    fn names_that_imports_give_are_reserved() {
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
        assert!(Password::given("short").is_ok());
        let shown = format!("{:?}", Password::new("correct horse").unwrap());
        assert!(!shown.contains("horse"), "{shown}");
    }

    #[test]
    fn roles_read_back_from_their_names() {
        for role in [Role::User, Role::Admin] {
            assert_eq!(Role::of(role.name()), Some(role));
        }
        assert_eq!(Role::of("admin"), None);
    }
}
