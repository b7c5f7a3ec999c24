//! The time that passes for view windows, sessions and stored replies. It does not follow changes of the
//! system time.

use balance_domain::units::MICROS_PER_S;
use std::sync::{Mutex, PoisonError};

/// The most time that passes between two processes, in microseconds: 1 hour. After a longer stop, or if
/// the system time was changed meanwhile, no more is credited.
const MAX_GAP_MICROS: i64 = 3_600 * MICROS_PER_S;

/// The stored clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockRow {
    /// The last instant, 0 before the first request.
    pub(crate) last_micros: i64,
    pub(crate) offset_micros: i64,
}

impl ClockRow {
    pub(crate) const fn passed_micros(self) -> i64 {
        self.last_micros.saturating_add(self.offset_micros)
    }
}

/// The passed time at a value of the process's monotonic clock, from the first group of the process on.
#[derive(Debug, Default)]
pub(crate) struct IntakeTimer(Mutex<Option<(i64, i64)>>);

impl IntakeTimer {
    /// Returns the passed time. `clock_micros` is the system time, `elapsed_micros` the monotonic clock.
    pub(crate) fn passed_micros(
        &self,
        row: ClockRow,
        clock_micros: i64,
        elapsed_micros: i64,
    ) -> i64 {
        let mut timer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = row.passed_micros();
        let passed = match *timer {
            // Another process may have written a later time.
            Some((began, passed)) => (passed + elapsed_micros.saturating_sub(began)).max(stored),
            None if row.last_micros == 0 => clock_micros,
            None => {
                let gap = clock_micros.saturating_sub(row.last_micros);
                stored.saturating_add(gap.clamp(0, MAX_GAP_MICROS))
            }
        };
        *timer = Some((elapsed_micros, passed));
        passed
    }
}
