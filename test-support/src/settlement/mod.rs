//! Settlement in one process: a separate database, a test clock and the real worker.

mod database;
mod env;
mod plays;
mod worker;

pub use env::{TestEnv, wait_for_end};
pub use plays::{PlayBatches, day_of_plays, even_day, play};
pub use worker::{Shape, worker_settings};

use chrono::NaiveDate;

/// Microseconds in a second.
pub const MICROS: i64 = 1_000_000;

/// Parses a date.
pub fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Parses an instant (RFC 3339) into microseconds since 1970 (UTC).
pub fn at(text: &str) -> i64 {
    text.parse::<chrono::DateTime<chrono::Utc>>()
        .unwrap()
        .timestamp_micros()
}
