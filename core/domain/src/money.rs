//! Money: integers in hundredths of a won, with one rounding rule.

use std::fmt;

/// An amount in hundredths of a won.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Money(i64);

/// An amount or a sum that does not fit into 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount does not fit into 64 bits")]
pub struct MoneyOverflow;

/// Millionths of a won per won. Rates are stored in millionths.
pub const MICRO_WON_PER_WON: i64 = 1_000_000;
/// Millionths of a won per hundredth of a won.
const MICRO_WON_PER_HUNDREDTH: i128 = 10_000;

impl Money {
    pub const ZERO: Self = Self(0);

    #[must_use]
    pub const fn from_hundredths(hundredths: i64) -> Self {
        Self(hundredths)
    }

    /// Returns the amount in hundredths of a won.
    #[must_use]
    pub const fn hundredths(self) -> i64 {
        self.0
    }

    /// Rounds millionths of a won down to 0.01 won. This is the only rounding rule.
    ///
    /// # Errors
    /// Returns [`MoneyOverflow`] if the amount does not fit into 64 bits.
    pub fn floor_from_micro_won(micro_won: i128) -> Result<Self, MoneyOverflow> {
        i64::try_from(micro_won.div_euclid(MICRO_WON_PER_HUNDREDTH))
            .map(Self)
            .map_err(|_| MoneyOverflow)
    }

    /// Adds two amounts.
    ///
    /// # Errors
    /// Returns [`MoneyOverflow`] if the sum does not fit into 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyOverflow> {
        self.0.checked_add(other.0).map(Self).ok_or(MoneyOverflow)
    }
}

/// Formats decimal won with two places and no grouping: `33618.00`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let absolute = self.0.unsigned_abs();
        f.pad(&format!("{sign}{}.{:02}", absolute / 100, absolute % 100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_two_places() {
        assert_eq!(Money(3_361_800).to_string(), "33618.00");
        assert_eq!(Money(5).to_string(), "0.05");
        assert_eq!(Money(-5).to_string(), "-0.05");
        assert_eq!(Money(i64::MIN).to_string(), "-92233720368547758.08");
    }

    #[test]
    fn rounds_down_to_a_hundredth() {
        assert_eq!(Money::floor_from_micro_won(9_999), Ok(Money(0)));
        assert_eq!(Money::floor_from_micro_won(10_000), Ok(Money(1)));
        assert_eq!(Money::floor_from_micro_won(2_109_999), Ok(Money(210)));
        assert_eq!(
            Money::floor_from_micro_won(i128::from(i64::MAX) * 10_000 + 10_000),
            Err(MoneyOverflow)
        );
    }
}
