//! A business zone whose midnight is a moment ahead.

use chrono::{NaiveDate, TimeDelta, Utc};

const DAY_S: i64 = 86_400;

/// A zone of a fixed offset, and the day that ends in it soon.
pub(crate) struct Midnight {
    /// For `BUSINESS_TIMEZONE`.
    pub(crate) zone: String,
    /// The day that ends.
    pub(crate) day: NaiveDate,
    /// When it ends, in microseconds since 1970.
    pub(crate) at_micros: i64,
}

impl Midnight {
    /// A midnight so many seconds from now.
    pub(crate) fn after_s(seconds: i64) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the processes of the test live by the machine's clock"
        )]
        let midnight = Utc::now() + TimeDelta::seconds(seconds);
        let second_of_day = midnight.timestamp().rem_euclid(DAY_S);
        // What is missing to a full day, by the shorter way: no zone is further away than that.
        let offset = if second_of_day < DAY_S / 2 {
            -second_of_day
        } else {
            DAY_S - second_of_day
        };
        let sign = if offset < 0 { '-' } else { '+' };
        let unavailable = offset.abs();
        let local = midnight + TimeDelta::seconds(offset);
        Self {
            zone: format!(
                "{sign}{:02}:{:02}:{:02}",
                unavailable / 3_600,
                unavailable / 60 % 60,
                unavailable % 60
            ),
            day: local.date_naive().pred_opt().unwrap(),
            at_micros: midnight.timestamp() * 1_000_000,
        }
    }
}
