//! The maximum playback rate.

use crate::units::MICROS_PER_S;
use std::{fmt, str::FromStr};

/// The maximum playback rate, in thousandths: 2,000 is double speed. 0 disables the cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlaybackRate(pub u32);

/// A text is no [`PlaybackRate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a number from 0 to 100 with at most three decimals, such as 1.25")]
pub struct InvalidRate;

/// The unit of a rate, per second of video: microseconds in thousandths.
const UNIT: i128 = MICROS_PER_S as i128 * 1_000;

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

    /// Returns the whole seconds of video that `micros` of time allow, rounded down. Time that is used in
    /// advance is negative, and so are its seconds.
    #[must_use]
    pub fn seconds_of(self, micros: i64) -> i64 {
        let seconds = (i128::from(micros) * i128::from(self.0)).div_euclid(UNIT);
        i64::try_from(seconds).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX })
    }

    /// Returns the microseconds that `seconds` of video take at this rate, rounded up; 0 if there is no
    /// cap.
    #[must_use]
    pub fn micros_of(self, seconds: i64) -> i64 {
        let rate = i128::from(self.0);
        if rate == 0 {
            return 0;
        }
        let micros = (i128::from(seconds) * UNIT + rate - 1).div_euclid(rate);
        i64::try_from(micros).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: PlaybackRate = PlaybackRate(2_000);

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
    fn seconds_are_rounded_down_and_time_is_rounded_up() {
        assert_eq!(RATE.seconds_of(999_999), 1);
        assert_eq!(RATE.seconds_of(1_000_000), 2);
        assert_eq!(RATE.seconds_of(-1), -1);
        assert_eq!(RATE.seconds_of(-500_000), -1);
        assert_eq!(RATE.seconds_of(-500_001), -2);
        assert_eq!(RATE.micros_of(3), 1_500_000);
        assert_eq!(PlaybackRate(3_000).micros_of(1), 333_334);
        assert_eq!(PlaybackRate(0).micros_of(7), 0);
        assert_eq!(
            PlaybackRate(1).seconds_of(i64::MAX),
            i64::MAX / 1_000_000_000
        );
        assert_eq!(PlaybackRate(u32::MAX).seconds_of(i64::MAX), i64::MAX);
    }
}
