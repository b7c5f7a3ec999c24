//! Business days: the mapping from instants to days.

use chrono::{
    DateTime, Days, FixedOffset, MappedLocalTime, NaiveDate, NaiveTime, Offset, TimeZone, Utc,
};
use std::{fmt, str::FromStr};

/// The time zone of the business days: an IANA name or a fixed offset.
///
/// An offset can have seconds (`+09:00`, `-00:00:03`), so that a test can place midnight a few
/// seconds ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusinessTimezone {
    /// A zone of the IANA database, such as `Asia/Seoul`.
    Named(chrono_tz::Tz),
    /// A fixed offset from UTC.
    Fixed(FixedOffset),
}

/// A text that is neither an IANA zone nor an offset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is neither an IANA time zone such as Asia/Seoul nor an offset such as +09:00 or -00:00:03"
)]
pub struct TimezoneError(String);

impl FromStr for BusinessTimezone {
    type Err = TimezoneError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with(['+', '-']) {
            return fixed_offset(text)
                .map(Self::Fixed)
                .ok_or_else(|| TimezoneError(text.to_owned()));
        }
        text.parse()
            .map(Self::Named)
            .map_err(|_| TimezoneError(text.to_owned()))
    }
}

fn fixed_offset(text: &str) -> Option<FixedOffset> {
    let (sign, digits) = (&text[..1], &text[1..]);
    let time = NaiveTime::parse_from_str(digits, "%H:%M:%S")
        .or_else(|_| NaiveTime::parse_from_str(digits, "%H:%M"))
        .ok()?;
    let seconds = i32::try_from((time - NaiveTime::MIN).num_seconds()).ok()?;
    FixedOffset::east_opt(if sign == "-" { -seconds } else { seconds })
}

impl fmt::Display for BusinessTimezone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(zone) => f.write_str(zone.name()),
            Self::Fixed(offset) => offset.fmt(f),
        }
    }
}

impl BusinessTimezone {
    /// Returns the business day that contains an instant (microseconds since 1970, UTC).
    ///
    /// # Errors
    /// Returns [`OutOfCalendar`] if chrono cannot represent the instant or its day.
    pub fn day_of(self, at_micros: i64) -> Result<BusinessDay, OutOfCalendar> {
        let utc = DateTime::from_timestamp_micros(at_micros).ok_or(OutOfCalendar)?;
        let offset = match self {
            Self::Named(zone) => zone.offset_from_utc_datetime(&utc.naive_utc()).fix(),
            Self::Fixed(offset) => offset,
        };
        // When clocks are set back across midnight, the local date repeats after the next day has
        // begun. The bounds of a day decide, not the local date.
        let local_date = utc.with_timezone(&offset).date_naive();
        [
            Some(local_date),
            local_date.succ_opt(),
            local_date.pred_opt(),
        ]
        .into_iter()
        .flatten()
        .filter_map(|date| self.day(date).ok())
        .find(|day| day.contains(at_micros))
        .ok_or(OutOfCalendar)
    }

    /// Returns the business day of a date.
    ///
    /// # Errors
    /// Returns [`OutOfCalendar`] if a bound of the day exceeds chrono's range.
    pub fn day(self, date: NaiveDate) -> Result<BusinessDay, OutOfCalendar> {
        let next = date.checked_add_days(Days::new(1)).ok_or(OutOfCalendar)?;
        Ok(BusinessDay {
            date,
            start_micros: self.midnight_micros(date)?,
            end_micros: self.midnight_micros(next)?,
        })
    }

    /// Returns the latest business day that has ended at an instant (microseconds since 1970, UTC).
    ///
    /// # Errors
    /// Returns [`OutOfCalendar`] if chrono cannot represent the instant or its day.
    pub fn last_day_over(self, now_micros: i64) -> Result<NaiveDate, OutOfCalendar> {
        let today = self.day_of(now_micros)?.date;
        today.pred_opt().ok_or(OutOfCalendar)
    }

    /// Returns the first instant of a date. If a clock change skips midnight or the whole day, this
    /// is the first instant after the gap. If it repeats midnight, this is the earlier one.
    fn midnight_micros(self, date: NaiveDate) -> Result<i64, OutOfCalendar> {
        let midnight = date.and_time(NaiveTime::MIN);
        let instant = match self {
            Self::Fixed(offset) => offset
                .from_local_datetime(&midnight)
                .single()
                .map(|at| at.with_timezone(&Utc)),
            Self::Named(zone) => (0..48 * 4)
                .map(|quarter| midnight + chrono::TimeDelta::minutes(15 * quarter))
                .find_map(|local| match zone.from_local_datetime(&local) {
                    MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => {
                        Some(at.with_timezone(&Utc))
                    }
                    MappedLocalTime::None => None,
                }),
        };
        Ok(instant.ok_or(OutOfCalendar)?.timestamp_micros())
    }
}

/// An instant or a date outside chrono's range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time lies outside the calendar")]
pub struct OutOfCalendar;

/// A business day and its bounds, in microseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusinessDay {
    pub date: NaiveDate,
    /// The first instant of the day.
    pub start_micros: i64,
    /// The first instant of the next day.
    pub end_micros: i64,
}

impl BusinessDay {
    /// Returns whether an instant (microseconds since 1970, UTC) belongs to the day.
    #[must_use]
    pub fn contains(&self, at_micros: i64) -> bool {
        (self.start_micros..self.end_micros).contains(&at_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn micros(text: &str) -> i64 {
        text.parse::<DateTime<Utc>>().unwrap().timestamp_micros()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_in_seoul_begins_at_15_hours_utc() {
        let zone: BusinessTimezone = "Asia/Seoul".parse().unwrap();
        let day = zone.day_of(micros("2022-04-07T15:00:00Z")).unwrap();
        assert_eq!(day.date, date("2022-04-08"));
        assert_eq!(day.start_micros, micros("2022-04-07T15:00:00Z"));
        assert_eq!(day.end_micros, micros("2022-04-08T15:00:00Z"));
        let before = zone.day_of(micros("2022-04-07T14:59:59.999999Z")).unwrap();
        assert_eq!(before.date, date("2022-04-07"));
    }

    #[test]
    fn fixed_offsets_carry_seconds_and_print_as_they_parse() {
        for text in ["+09:00", "-00:00:03", "+05:30", "UTC", "Asia/Seoul"] {
            let zone: BusinessTimezone = text.parse().unwrap();
            assert_eq!(zone.to_string(), text);
        }
        let zone: BusinessTimezone = "-00:00:03".parse().unwrap();
        let day = zone.day(date("2026-01-02")).unwrap();
        assert_eq!(day.start_micros, micros("2026-01-02T00:00:03Z"));
    }

    #[test]
    fn invalid_time_zones_are_rejected() {
        for text in [
            "",
            "Seoul",
            "+9",
            "+25:00",
            "+09:00:00:00",
            "09:00",
            "+ab:cd",
            "+é",
        ] {
            assert!(text.parse::<BusinessTimezone>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_without_midnight_begins_after_the_clock_change() {
        // Clocks in Cairo jumped from 2024-04-25 23:59:59 to 2024-04-26 01:00:00.
        let zone: BusinessTimezone = "Africa/Cairo".parse().unwrap();
        let day = zone.day(date("2024-04-26")).unwrap();
        assert_eq!(day.start_micros, micros("2024-04-25T22:00:00Z"));
        assert_eq!(day.end_micros - day.start_micros, 23 * 3600 * 1_000_000);
    }

    #[test]
    fn a_clock_that_goes_back_over_midnight_leaves_each_instant_one_day() {
        // Clocks in St. John's were set back from 2006-10-29 00:01 to 2006-10-28 23:01.
        let zone: BusinessTimezone = "America/St_Johns".parse().unwrap();
        let begun = zone.day_of(micros("2006-10-29T02:30:30Z")).unwrap();
        let again = zone.day_of(micros("2006-10-29T02:31:30Z")).unwrap();
        assert_eq!((begun, begun.date), (again, date("2006-10-29")));
        // Apia skipped 2011-12-30.
        let zone: BusinessTimezone = "Pacific/Apia".parse().unwrap();
        assert_eq!(
            zone.day_of(micros("2011-12-30T05:00:00Z")).unwrap().date,
            date("2011-12-29")
        );
        assert_eq!(
            zone.day_of(micros("2011-12-30T12:00:00Z")).unwrap().date,
            date("2011-12-31")
        );
    }

    proptest! {
        #[test]
        fn every_instant_is_in_exactly_its_day(
            at in 0_i64..4_000_000_000_000_000,
            zone in prop::sample::select(vec!["Asia/Seoul", "America/Sao_Paulo", "Africa/Cairo", "Europe/London", "America/St_Johns", "Pacific/Apia", "Pacific/Kwajalein", "-00:00:03"]),
        ) {
            let zone: BusinessTimezone = zone.parse().unwrap();
            let day = zone.day_of(at).unwrap();
            prop_assert!(day.contains(at), "{day:?}");
            prop_assert_eq!(zone.day_of(day.end_micros).unwrap().start_micros, day.end_micros);
        }
    }
}
