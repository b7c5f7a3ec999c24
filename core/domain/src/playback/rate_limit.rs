//! Rate limits.

use crate::units::MICROS_PER_S;

/// A rate limit, as the generic cell rate algorithm (GCRA) enforces it. Its whole state is one instant,
/// the theoretical arrival time (TAT): 0 before the first request.
///
/// In every window of time there are at most `burst` requests, and one more for each interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    interval_micros: i64,
    burst: i64,
}

impl RateLimit {
    /// Allows `count` requests in `period_s` seconds, and `burst` at once. All three are 1 and up.
    #[must_use]
    pub fn new(count: u32, period_s: u32, burst: u32) -> Self {
        let count = i64::from(count.max(1));
        let period_micros = i64::from(period_s) * MICROS_PER_S;
        Self {
            interval_micros: (period_micros + count - 1) / count,
            burst: i64::from(burst.max(1)),
        }
    }

    /// Takes a request at `now_micros`. Returns the next TAT, or the microseconds (1 and up) after which
    /// the request is allowed.
    ///
    /// A TAT beyond the latest possible one is that of another clock or of an earlier rule. It allows one
    /// request, as if all others of the burst had just been taken.
    ///
    /// # Errors
    /// If the request exceeds the limit.
    pub fn take(self, tat_micros: i64, now_micros: i64) -> Result<i64, i64> {
        let latest = now_micros + self.interval_micros * self.burst;
        let tat_micros = match tat_micros > latest {
            true => latest - self.interval_micros,
            false => tat_micros,
        };
        let next = tat_micros.max(now_micros) + self.interval_micros;
        let allowed_at = next - self.interval_micros * self.burst;
        if now_micros < allowed_at {
            return Err(allowed_at - now_micros);
        }
        Ok(next)
    }

    /// Returns the interval between two requests, in microseconds.
    #[must_use]
    pub const fn interval_micros(self) -> i64 {
        self.interval_micros
    }

    /// Returns the number of requests that are allowed at once.
    #[must_use]
    pub const fn burst(self) -> i64 {
        self.burst
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        let limit = RateLimit::new(30, 60, 3);
        let mut tat = 0;
        for _ in 0..3 {
            tat = limit.take(tat, 1_000_000_000).unwrap();
        }
        assert_eq!(limit.take(tat, 1_000_000_000), Err(2_000_000));
        assert_eq!(limit.take(tat, 1_001_999_999), Err(1));
        let next = limit.take(tat, 1_002_000_000).unwrap();
        assert_eq!(limit.take(next, 1_002_000_000), Err(2_000_000));
    }

    #[test]
    fn a_state_of_another_clock_or_rule_blocks_for_one_interval_at_most() {
        let limit = RateLimit::new(30, 60, 3);
        let now = 1_000_000_000;
        for stored in [now + 6_000_001, now + 30 * 86_400_000_000, i64::MAX] {
            let next = limit.take(stored, now).unwrap();
            assert_eq!(next, now + 6_000_000);
            assert_eq!(limit.take(next, now), Err(2_000_000));
            assert!(limit.take(next, now + 2_000_000).is_ok());
        }
    }

    proptest! {
        #[test]
        fn every_window_has_at_most_the_burst_and_the_rate(
            (count, period_s, burst) in (1_u32..50, 1_u32..100, 1_u32..20),
            steps in prop::collection::vec(0_i64..5_000_000, 1..60),
        ) {
            let limit = RateLimit::new(count, period_s, burst);
            let (mut tat, mut now) = (0, 1_700_000_000_000_000);
            let mut taken = Vec::new();
            for step in steps {
                now += step;
                match limit.take(tat, now) {
                    Ok(next) => {
                        tat = next;
                        taken.push(now);
                    }
                    Err(wait) => {
                        prop_assert!(limit.take(tat, now + wait).is_ok());
                        prop_assert!(limit.take(tat, now + wait - 1).is_err());
                    }
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (last, upto) in taken.iter().enumerate().skip(first) {
                    let requests = i64::try_from(last - first + 1).unwrap();
                    prop_assert!((requests - limit.burst()) * limit.interval_micros() <= upto - from);
                }
            }
        }
    }
}
