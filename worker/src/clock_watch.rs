//! The watch over the clock: no day is launched because the clock is wrong after a start, or was set
//! forward.

use balance_domain::{
    clock::{CLOCK_TOLERANCE_MICROS, instant_text},
    units::MICROS_PER_S,
};
use balance_service::jobs::launcher::Launcher;
use balance_store::StoreResult;

/// How long a clock must run without a change before it is believed, in microseconds: 5 minutes. Within
/// this time a time service corrects the clock of a machine that has started.
const OBSERVED_MICROS: i64 = 300 * MICROS_PER_S;
/// The longest stop after which the clock is believed at once, in microseconds: 1 hour.
const MAX_STOP_MICROS: i64 = 3_600 * MICROS_PER_S;

/// The readings of the clock of a process.
#[derive(Debug, Default)]
pub(crate) struct ClockWatch {
    last: Option<Reading>,
    doubt: Option<Doubt>,
}

/// A reading of the system time and of the monotonic clock, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Reading {
    now: i64,
    elapsed: i64,
}

/// A clock that is not believed yet.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    /// The last instant that is certain.
    certain: i64,
    /// The value of the monotonic clock at the begin of the observation.
    since: i64,
}

impl ClockWatch {
    /// Reads the clock. Returns the instant up to which days may be launched, in microseconds since 1970
    /// (UTC). Stores the time of a clock that is believed.
    pub(crate) async fn limit_micros(&mut self, launcher: &Launcher) -> StoreResult<i64> {
        let store = launcher.store.as_ref();
        let reading = Reading {
            now: launcher.clock.now_micros(),
            elapsed: launcher.clock.elapsed_micros(),
        };
        let stored = match self.last {
            Some(_) => None,
            None => Some(store.clocks().await?.last_micros),
        };
        if let Some(limit) = self.observe(reading, stored) {
            return Ok(limit);
        }
        store.advance_intake_clock(launcher.timezone).await?;
        Ok(reading.now)
    }

    /// Adds a reading. `stored` is the last stored instant at the start, 0 if there is none. Returns the
    /// last certain instant if the clock is not believed yet.
    fn observe(&mut self, reading: Reading, stored: Option<i64>) -> Option<i64> {
        let certain = match (self.last, stored) {
            (Some(last), _) => {
                let expected = last.now.saturating_add(reading.elapsed - last.elapsed);
                let is_set_forward = reading.now > expected.saturating_add(CLOCK_TOLERANCE_MICROS);
                is_set_forward.then_some(last.now)
            }
            (None, Some(stored)) if stored > 0 => {
                let is_long = reading.now > stored.saturating_add(MAX_STOP_MICROS);
                is_long.then_some(stored)
            }
            (None, _) => None,
        };
        self.last = Some(reading);
        if let Some(certain) = certain {
            let since = reading.elapsed;
            let certain = self.doubt.map_or(certain, |doubt| doubt.certain);
            self.doubt = Some(Doubt { certain, since });
            tracing::warn!(
                "the clock is at {}, and the last certain instant is {}: later days are launched after {} \
                 minutes; correct the clock before, if it is wrong",
                instant_text(reading.now),
                instant_text(certain),
                OBSERVED_MICROS / MICROS_PER_S / 60
            );
        }
        let doubt = self.doubt?;
        // A clock that was set back behind the certain instant launches no day too early.
        if reading.elapsed - doubt.since >= OBSERVED_MICROS
            || reading.now <= doubt.certain.saturating_add(MAX_STOP_MICROS)
        {
            self.doubt = None;
            return None;
        }
        Some(doubt.certain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600 * MICROS_PER_S;
    const MINUTE: i64 = 60 * MICROS_PER_S;
    const NOON: i64 = 1_700_000_000 * MICROS_PER_S;

    fn at(now: i64, elapsed: i64) -> Reading {
        Reading { now, elapsed }
    }

    #[test]
    fn a_clock_is_believed_at_once_without_evidence_against_it() {
        for stored in [0, NOON, NOON - HOUR, NOON + 72 * HOUR] {
            let mut watch = ClockWatch::default();
            assert_eq!(watch.observe(at(NOON, 7), Some(stored)), None, "{stored}");
            assert_eq!(watch.observe(at(NOON + MINUTE, 7 + MINUTE), None), None);
        }
    }

    #[test]
    fn after_a_long_stop_a_clock_is_observed_for_five_minutes() {
        let mut watch = ClockWatch::default();
        let stored = NOON - 72 * HOUR;
        for minutes in 0..5 {
            let reading = at(NOON + minutes * MINUTE, minutes * MINUTE);
            let limit = watch.observe(reading, (minutes == 0).then_some(stored));
            assert_eq!(limit, Some(stored), "{minutes}");
        }
        assert_eq!(watch.observe(at(NOON + 5 * MINUTE, 5 * MINUTE), None), None);
        assert_eq!(watch.observe(at(NOON + 6 * MINUTE, 6 * MINUTE), None), None);
    }

    #[test]
    fn a_clock_that_is_corrected_meanwhile_is_believed_at_once() {
        let mut watch = ClockWatch::default();
        let stored = NOON - MINUTE;
        let wrong = watch.observe(at(NOON + 72 * HOUR, 0), Some(stored));
        assert_eq!(wrong, Some(stored));
        assert_eq!(watch.observe(at(NOON + MINUTE, MINUTE), None), None);
    }

    #[test]
    fn a_clock_that_is_set_forward_is_observed_from_then_on() {
        let mut watch = ClockWatch::default();
        assert_eq!(watch.observe(at(NOON, 0), Some(NOON)), None);
        let limit = watch.observe(at(NOON + 72 * HOUR, MINUTE), None);
        assert_eq!(limit, Some(NOON));
        // Set forward again: the observation begins again, and the certain instant stays.
        let limit = watch.observe(at(NOON + 96 * HOUR, 5 * MINUTE), None);
        assert_eq!(limit, Some(NOON));
        let limit = watch.observe(at(NOON + 96 * HOUR + 4 * MINUTE, 9 * MINUTE), None);
        assert_eq!(limit, Some(NOON));
        let late = at(NOON + 96 * HOUR + 5 * MINUTE, 10 * MINUTE);
        assert_eq!(watch.observe(late, None), None);
    }
}
