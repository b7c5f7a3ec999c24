//! Conversion factors between units of time.

/// Microseconds per millisecond.
pub const MICROS_PER_MS: i64 = 1_000;
/// Microseconds per second.
pub const MICROS_PER_S: i64 = 1_000_000;
/// Microseconds per 24 hours.
pub const MICROS_PER_DAY: i64 = SECONDS_PER_DAY as i64 * MICROS_PER_S;
/// Milliseconds per hour.
pub const MS_PER_HOUR: i64 = 3_600_000;
/// Seconds per 24 hours.
pub const SECONDS_PER_DAY: u32 = 86_400;
