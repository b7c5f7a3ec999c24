//! Watch sessions: the viewer's position in a video, and the seconds that a pause credits.

use crate::units::MICROS_PER_S;
use std::{fmt, str::FromStr};

/// Seconds that a pause may credit beyond the elapsed time. They compensate for network delays.
pub const CREDIT_GRACE_S: i64 = 5;

/// The maximum playback rate, in thousandths: 2,000 is double speed. 0 disables the cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlaybackRate(pub u32);

/// A text is no [`PlaybackRate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a number from 0 to 100 with at most three decimals, such as 1.25")]
pub struct InvalidRate;

impl FromStr for PlaybackRate {
    type Err = InvalidRate;

    /// Parses a decimal such as 2 or 1.25, from 0 to 100.
    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || decimals.len() > 3 || !are_digits(whole) || !are_digits(decimals) {
            return Err(InvalidRate);
        }
        let thousandths = format!("{whole}{decimals:0<3}").parse();
        let rate = thousandths.map(Self).map_err(|_| InvalidRate)?;
        if rate > Self::MAX {
            return Err(InvalidRate);
        }
        Ok(rate)
    }
}

/// Writes a decimal without trailing zeros, such as 2 or 1.25.
impl fmt::Display for PlaybackRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, thousandths) = (self.0 / 1_000, self.0 % 1_000);
        if thousandths == 0 {
            return write!(f, "{whole}");
        }
        let decimals = format!("{thousandths:03}");
        write!(f, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

impl PlaybackRate {
    /// The greatest rate that a rule may have.
    pub const MAX: Self = Self(100_000);

    /// Returns the maximum number of video seconds that can be credited for an elapsed time,
    /// including [`CREDIT_GRACE_S`]. Returns `None` if there is no cap.
    #[must_use]
    pub fn max_credit_s(self, elapsed_micros: i64) -> Option<i64> {
        if self.0 == 0 {
            return None;
        }
        let played = i128::from(elapsed_micros.max(0)) * i128::from(self.0)
            / (i128::from(MICROS_PER_S) * 1_000);
        Some(i64::try_from(played).map_or(i64::MAX, |played| played.saturating_add(CREDIT_GRACE_S)))
    }
}

/// The watch session of one viewer and one video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The viewer's position, in seconds; 0 after the video was watched to its end.
    pub position_s: i64,
    /// Time of the last play or pause, in microseconds since 1970 (UTC).
    pub since_micros: i64,
    /// Whether the session accepts a pause. A play opens it; a pause at the end of the video closes
    /// it.
    pub is_open: bool,
}

/// The result of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// The position before the pause, in seconds.
    pub from_s: i64,
    /// Seconds that enter the statistics.
    pub credited_s: i64,
    /// Seconds removed by the cap.
    pub capped_s: i64,
}

impl Session {
    /// Opens a session at the position of the last one, or at 0.
    #[must_use]
    pub fn play(last: Option<Self>, now_micros: i64) -> Self {
        Self {
            position_s: last.map_or(0, |last| last.position_s),
            since_micros: now_micros,
            is_open: true,
        }
    }

    /// Pauses an open session at `current_s` (0 to `duration_s`).
    ///
    /// The session moves to that position. At the end of the video it closes and its position
    /// returns to 0. Seconds that the owner watches are neither credited nor capped.
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
            .max_credit_s(elapsed_micros)
            .map_or(watched_s, |max_s| watched_s.min(max_s));
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

    const S: i64 = MICROS_PER_S;
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
    fn rates_are_formatted_as_they_were_parsed() {
        for (text, rate) in [
            ("0", 0),
            ("2", 2_000),
            ("1.25", 1_250),
            ("0.001", 1),
            ("100", 100_000),
        ] {
            assert_eq!(text.parse(), Ok(PlaybackRate(rate)));
            assert_eq!(PlaybackRate(rate).to_string(), text);
        }
        assert_eq!("2.0".parse(), Ok(RATE));
        assert_eq!("2.".parse(), Ok(RATE));
        for text in [
            "",
            ".5",
            "-1",
            "1e1",
            "1.0001",
            "100.001",
            "4294967296",
            " 1",
        ] {
            assert_eq!(text.parse::<PlaybackRate>(), Err(InvalidRate), "{text}");
        }
    }

    #[test]
    fn a_play_resumes_at_the_position_of_the_last_session() {
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
        assert_eq!(credited(open(100, 0), 90, 60), 0, "seek backwards");
        assert_eq!(credited(open(0, 0), 5, 0), 5, "grace");
        assert_eq!(credited(open(0, 10), 500, 0), 5, "clock set back");
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
