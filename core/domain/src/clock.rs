//! The clock port, injected so that tests can set the time.

use chrono::{DateTime, NaiveDateTime};

/// Source of the current time.
pub trait Clock: Send + Sync {
    /// Returns microseconds since 1970 (UTC).
    fn now_micros(&self) -> i64;

    /// Returns the current UTC time without a zone, as the job tables store it.
    fn now(&self) -> NaiveDateTime {
        DateTime::from_timestamp_micros(self.now_micros())
            .unwrap_or_default()
            .naive_utc()
    }
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only place that reads the system time"
    )]
    fn now_micros(&self) -> i64 {
        chrono::Utc::now().timestamp_micros()
    }
}
