//! A business time zone in which a day ends soon.

use chrono::{NaiveDate, TimeDelta, Utc};

const DAY_S: i64 = 86_400;

/// A time zone with a fixed offset, and the day that ends in it soon.
pub struct Midnight {
    /// The value of `BUSINESS_TIMEZONE`.
    pub zone: String,
    /// The day that ends soon.
    pub day: NaiveDate,
    /// The end of the day, in microseconds since 1970 (UTC).
    pub at_micros: i64,
}

impl Midnight {
    /// Returns a zone whose next midnight is a number of seconds from now.
    pub fn after_s(seconds: i64) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the processes of the test use the machine's clock"
        )]
        let midnight = Utc::now() + TimeDelta::seconds(seconds);
        let second_of_day = midnight.timestamp().rem_euclid(DAY_S);
        // The shorter of the two offsets to midnight: at most 12 hours.
        let offset = if second_of_day < DAY_S / 2 {
            -second_of_day
        } else {
            DAY_S - second_of_day
        };
        let sign = if offset < 0 { '-' } else { '+' };
        let distance = offset.abs();
        let local = midnight + TimeDelta::seconds(offset);
        Self {
            zone: format!(
                "{sign}{:02}:{:02}:{:02}",
                distance / 3_600,
                distance / 60 % 60,
                distance % 60
            ),
            day: local.date_naive().pred_opt().unwrap(),
            at_micros: midnight.timestamp() * 1_000_000,
        }
    }
}
