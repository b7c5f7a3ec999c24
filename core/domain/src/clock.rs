//! The clock port, injected so that tests can set the time.

use crate::units::MICROS_PER_S;
use chrono::{DateTime, NaiveDateTime};
use std::{sync::LazyLock, time::Instant};

/// How far two clocks may differ, and how far a clock may be set back, in microseconds: 5 minutes.
/// Beyond it plays could get a wrong date, so that no play is accepted.
pub const CLOCK_TOLERANCE_MICROS: i64 = 300 * MICROS_PER_S;

/// Source of the current time.
pub trait Clock: Send + Sync {
    /// Returns microseconds since 1970 (UTC).
    fn now_micros(&self) -> i64;

    /// Returns microseconds since an instant of this process. They never decrease, and a change of
    /// the system time does not affect them.
    fn elapsed_micros(&self) -> i64;

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

    fn elapsed_micros(&self) -> i64 {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        i64::try_from(BEGAN.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

/// Formats an instant in microseconds since 1970 (UTC), to the second.
#[must_use]
pub fn instant_text(micros: i64) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(instant) => instant.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        None => format!("{micros} microseconds"),
    }
}
