//! The clock, injected so that tests can set it.

use chrono::{DateTime, NaiveDateTime};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Microseconds since 1970 (UTC).
    fn now_micros(&self) -> i64;

    /// The same as the job tables hold it: a zoneless UTC time.
    fn now(&self) -> NaiveDateTime {
        DateTime::from_timestamp_micros(self.now_micros())
            .unwrap_or_default()
            .naive_utc()
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine for the time"
    )]
    fn now_micros(&self) -> i64 {
        chrono::Utc::now().timestamp_micros()
    }
}
