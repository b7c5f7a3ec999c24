//! A session: where a viewer stands in a video, and what a pause credits.

/// The seconds that a pause may credit beyond what the clock allows: networks are late.
pub const CREDIT_GRACE_S: i64 = 5;

const MICROS_PER_S: i128 = 1_000_000;

/// How fast a video can be played, in thousandths: 2,000 is twice as fast as it was made. 0 switches
/// the cap off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaybackRate(pub u32);

impl PlaybackRate {
    /// The most seconds of a video that can have passed in so many microseconds; none where there
    /// is no cap.
    #[must_use]
    pub fn most_s(self, elapsed_micros: i64) -> Option<i64> {
        if self.0 == 0 {
            return None;
        }
        let played =
            i128::from(elapsed_micros.max(0)) * i128::from(self.0) / (MICROS_PER_S * 1_000);
        Some(i64::try_from(played).map_or(i64::MAX, |played| played.saturating_add(CREDIT_GRACE_S)))
    }
}

/// Where a viewer stands in a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Seconds from the beginning; 0 once the video was watched to its end.
    pub position_s: i64,
    /// When it stood there, in microseconds since 1970 (UTC).
    pub since_micros: i64,
    /// Whether it can be paused: opened by a play, open after a pause, closed at the end.
    pub is_open: bool,
}

/// What a pause came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// Where the session stood before, in seconds.
    pub from_s: i64,
    /// Seconds that enter the statistics.
    pub credited_s: i64,
    /// Seconds that the cap took off.
    pub capped_s: i64,
}

impl Session {
    /// The session that an accepted play opens, from where the last one was left.
    #[must_use]
    pub fn play(last: Option<Self>, now_micros: i64) -> Self {
        Self {
            position_s: last.map_or(0, |last| last.position_s),
            since_micros: now_micros,
            is_open: true,
        }
    }

    /// Pauses an open session at a position (0 to `duration_s`), which it moves to; at the end of
    /// the video it closes and goes back to the beginning. An owner's own seconds credit nothing.
    #[must_use]
    pub fn pause(
        self,
        current_s: i64,
        duration_s: i64,
        is_own: bool,
        rate: PlaybackRate,
        now_micros: i64,
    ) -> (Self, Credit) {
        let watched_s = current_s.saturating_sub(self.position_s).max(0);
        let elapsed_micros = now_micros.saturating_sub(self.since_micros);
        let allowed_s = rate
            .most_s(elapsed_micros)
            .map_or(watched_s, |most_s| watched_s.min(most_s));
        let credit = Credit {
            from_s: self.position_s,
            credited_s: if is_own { 0 } else { allowed_s },
            capped_s: if is_own { 0 } else { watched_s - allowed_s },
        };
        let is_finished = current_s >= duration_s;
        let next = Self {
            position_s: if is_finished { 0 } else { current_s },
            since_micros: now_micros,
            is_open: !is_finished,
        };
        (next, credit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: i64 = 1_000_000;
    const RATE: PlaybackRate = PlaybackRate(2_000);

    fn open(position_s: i64, since_s: i64) -> Session {
        Session {
            position_s,
            since_micros: since_s * S,
            is_open: true,
        }
    }

    fn credited(session: Session, current_s: i64, now_s: i64) -> i64 {
        session
            .pause(current_s, 1_000, false, RATE, now_s * S)
            .1
            .credited_s
    }

    #[test]
    fn a_play_goes_on_where_the_last_session_was_left() {
        assert_eq!(
            Session::play(None, 7),
            Session {
                position_s: 0,
                since_micros: 7,
                is_open: true
            }
        );
        let (left, _) = open(0, 0).pause(120, 1_000, false, RATE, 120 * S);
        assert_eq!(Session::play(Some(left), 500 * S), open(120, 500));
        let (ended, _) = open(900, 0).pause(1_000, 1_000, false, RATE, 100 * S);
        assert!(!ended.is_open);
        assert_eq!(Session::play(Some(ended), 0).position_s, 0);
    }

    #[test]
    fn a_pause_credits_what_the_clock_allows() {
        assert_eq!(credited(open(0, 0), 120, 120), 120);
        assert_eq!(credited(open(0, 0), 120, 60), 120, "at twice the speed");
        assert_eq!(credited(open(0, 0), 120, 50), 105, "capped");
        assert_eq!(credited(open(100, 0), 90, 60), 0, "sought back");
        assert_eq!(credited(open(0, 0), 5, 0), 5, "the grace");
        assert_eq!(credited(open(0, 10), 500, 0), 5, "a clock that went back");
        let (_, credit) = open(0, 0).pause(600, 1_000, false, RATE, 100 * S);
        assert_eq!((credit.credited_s, credit.capped_s), (205, 395));
        let (_, credit) = open(0, 0).pause(600, 1_000, false, PlaybackRate(0), 0);
        assert_eq!(credit.credited_s, 600, "no cap");
    }

    #[test]
    fn an_owner_earns_nothing_and_the_position_moves() {
        let (next, credit) = open(10, 0).pause(100, 1_000, true, RATE, 100 * S);
        assert_eq!((credit.credited_s, credit.capped_s), (0, 0));
        assert_eq!(next, open(100, 100));
    }

    proptest! {
        #[test]
        fn seeking_earns_nothing_beyond_the_clock(
            moves in prop::collection::vec((0_i64..=1_000, 0_i64..600), 1..40)
        ) {
            let mut session = open(0, 0);
            let (mut now_s, mut earned_s, mut pauses) = (0, 0, 0);
            for (current_s, waited_s) in moves {
                now_s += waited_s;
                let (next, credit) = session.pause(current_s, 1_001, false, RATE, now_s * S);
                prop_assert!(credit.credited_s >= 0 && credit.capped_s >= 0);
                earned_s += credit.credited_s;
                pauses += 1;
                session = next;
            }
            prop_assert!(earned_s <= 2 * now_s + CREDIT_GRACE_S * pauses);
        }
    }
}
