//! Reporting periods: the day, the week (from Monday) and the calendar month.

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};
use std::{fmt, str::FromStr};

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PeriodKind {
    /// One business day.
    Day,
    /// Monday to Sunday.
    Week,
    /// The calendar month.
    Month,
}

impl PeriodKind {
    /// Every kind, shortest first.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// Returns the name used in parameters and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// Returns the period of this kind that contains `date`. A period that would exceed the range of
    /// [`NaiveDate`] is cut at that range.
    #[must_use]
    pub fn containing(self, date: NaiveDate) -> Period {
        let (from, to) = match self {
            Self::Day => (date, date),
            Self::Week => {
                let week = date.week(Weekday::Mon);
                (
                    week.checked_first_day().unwrap_or(NaiveDate::MIN),
                    week.checked_last_day().unwrap_or(NaiveDate::MAX),
                )
            }
            Self::Month => {
                let first = date.with_day(1).unwrap_or(date);
                let last = first
                    .checked_add_months(Months::new(1))
                    .and_then(|next| next.checked_sub_days(Days::new(1)))
                    .unwrap_or(NaiveDate::MAX);
                (first, last)
            }
        };
        Period {
            kind: self,
            from,
            to,
        }
    }
}

impl fmt::Display for PeriodKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that is not the name of a period kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a period: day, week or month")]
pub struct PeriodKindError(String);

impl FromStr for PeriodKind {
    type Err = PeriodKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| PeriodKindError(text.to_owned()))
    }
}

/// A period with its first and last day, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    pub kind: PeriodKind,
    pub from: NaiveDate,
    pub to: NaiveDate,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(kind: PeriodKind, date: &str) -> (String, String) {
        let period = kind.containing(date.parse().unwrap());
        (period.from.to_string(), period.to.to_string())
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(
            bounds(PeriodKind::Day, "2022-04-16"),
            pair("2022-04-16", "2022-04-16")
        );
        assert_eq!(
            bounds(PeriodKind::Week, "2022-04-11"),
            pair("2022-04-11", "2022-04-17")
        );
        assert_eq!(
            bounds(PeriodKind::Week, "2022-04-17"),
            pair("2022-04-11", "2022-04-17")
        );
        assert_eq!(
            bounds(PeriodKind::Week, "2022-01-01"),
            pair("2021-12-27", "2022-01-02")
        );
        assert_eq!(
            bounds(PeriodKind::Month, "2024-02-29"),
            pair("2024-02-01", "2024-02-29")
        );
        assert_eq!(
            bounds(PeriodKind::Month, "2022-12-31"),
            pair("2022-12-01", "2022-12-31")
        );
    }

    #[test]
    fn names_round_trip() {
        for kind in PeriodKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("year".parse::<PeriodKind>().is_err());
    }
}
