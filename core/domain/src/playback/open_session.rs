//! The open sessions of a viewer.

use crate::videos::VideoId;
use std::fmt::Write;

/// The most open sessions of a viewer. A play beyond closes the session whose last contact is the oldest.
pub const MAX_OPEN_SESSIONS: usize = 32;

/// An open session: a video that the viewer plays. All instants are in microseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenSession {
    pub video_id: VideoId,
    /// The last contact: the play, or the last recorded pause. No earlier time can be credited.
    pub since_micros: i64,
    /// The viewer's time since the last contact is free after this instant, as if all used time came
    /// first. It is later than now if time was used in advance.
    pub credit_tat_micros: i64,
    /// The TAT of the limit of pauses.
    pub pause_tat_micros: i64,
    /// The credited seconds of the session, while they do not suffice for its view to count. `None` if it
    /// counts, or never will.
    pub uncounted_s: Option<i64>,
}

/// The stored number of a session without an uncounted view.
const NONE: i64 = -1;

impl OpenSession {
    /// Formats sessions as the intakes store them: `video:since:credit TAT:pause TAT:uncounted`, separated
    /// by commas. The last number is -1 without an uncounted view.
    #[must_use]
    pub fn to_text(sessions: &[Self]) -> String {
        let mut text = String::new();
        for one in sessions {
            let comma = if text.is_empty() { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "{comma}{}:{}:{}:{}:{}",
                one.video_id,
                one.since_micros,
                one.credit_tat_micros,
                one.pause_tat_micros,
                one.uncounted_s.unwrap_or(NONE)
            );
        }
        text
    }

    /// Parses the text of stored sessions. Returns `None` if it is damaged.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Vec<Self>> {
        if text.is_empty() {
            return Some(Vec::new());
        }
        text.split(',').map(Self::parse).collect()
    }

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(':').map(|number| number.parse::<i64>().ok());
        let mut next = || numbers.next().flatten();
        let session = Self {
            video_id: VideoId(next()?),
            since_micros: next()?,
            credit_tat_micros: next()?,
            pause_tat_micros: next()?,
            uncounted_s: Some(next()?).filter(|seconds| *seconds != NONE),
        };
        numbers.next().is_none().then_some(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_sessions_round_trip() {
        let session = |video, since_micros, uncounted_s| OpenSession {
            video_id: VideoId(video),
            since_micros,
            credit_tat_micros: since_micros + 1,
            pause_tat_micros: -3,
            uncounted_s,
        };
        let both = [
            session(7, 1_700_000_000_000_000, None),
            session(9, 5, Some(4)),
        ];
        let text = OpenSession::to_text(&both);
        let expected = "7:1700000000000000:1700000000000001:-3:-1,9:5:6:-3:4";
        assert_eq!(text, expected);
        assert_eq!(OpenSession::from_text(&text), Some(both.to_vec()));
        assert_eq!(OpenSession::from_text(""), Some(Vec::new()));
        for damaged in [
            "7",
            "7:1:2:3",
            "7:1:2:3:4:5",
            "7:1:2:3:x",
            ",",
            "7:1:2:3:4,",
        ] {
            assert_eq!(OpenSession::from_text(damaged), None, "{damaged}");
        }
    }
}
