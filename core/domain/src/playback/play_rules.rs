//! The rules of plays that decide about money. The database stores them in versions.

use crate::{
    playback::{PlaybackRate, RateLimit},
    units::SECONDS_PER_DAY,
};
use std::fmt;

/// The rules of plays that decide which views, seconds and ad views count, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayRules {
    /// The length of the view window in seconds, 0 to [`MAX_RULE_S`]. With 0, every view counts.
    pub view_window_s: u32,
    /// The distance between ad slots in seconds, 1 to [`MAX_RULE_S`].
    pub ad_interval_s: u32,
    /// The highest playback rate that a pause credits.
    pub playback_rate: PlaybackRate,
    /// Seconds that may be credited beyond the elapsed time, 0 to [`MAX_BURST_S`]. They compensate for
    /// network delays.
    pub credit_burst_s: u32,
    /// The longest time since the last contact that a pause uses, in seconds, 1 to [`MAX_RULE_S`].
    pub max_unconfirmed_s: u32,
    /// Seconds that a session must be credited before its view counts, or the length of the video if that
    /// is less, 0 to [`MAX_RULE_S`]. With 0, a view counts at its play.
    pub min_watch_s: u32,
    /// Plays of a viewer in a minute, 1 to [`MAX_LIMIT`].
    pub views_per_minute: u32,
    /// Plays of a viewer at once, 1 to [`MAX_LIMIT`].
    pub view_burst: u32,
    /// Videos that an account registers in an hour, 1 to [`MAX_LIMIT`].
    pub videos_per_hour: u32,
    /// Videos that an account registers at once, 1 to [`MAX_LIMIT`].
    pub video_burst: u32,
}

/// The longest view window, distance between ad slots, unconfirmed time and minimum watch, in seconds.
pub const MAX_RULE_S: u32 = SECONDS_PER_DAY;
/// The most seconds that may be credited beyond the elapsed time.
pub const MAX_BURST_S: u32 = 3_600;
/// The highest rate and burst of plays and of registrations.
pub const MAX_LIMIT: u32 = 100_000;

impl PlayRules {
    /// The rules of a database that is created without others.
    pub const DEFAULT: Self = Self {
        view_window_s: 30,
        ad_interval_s: 300,
        playback_rate: PlaybackRate(2_000),
        credit_burst_s: 5,
        max_unconfirmed_s: 4 * 3_600,
        min_watch_s: 0,
        views_per_minute: 30,
        view_burst: 60,
        videos_per_hour: 60,
        video_burst: 100,
    };

    /// Returns the limit of a viewer's plays.
    #[must_use]
    pub fn view_limit(&self) -> RateLimit {
        RateLimit::new(self.views_per_minute, 60, self.view_burst)
    }

    /// Returns the limit of an account's registrations of videos.
    #[must_use]
    pub fn video_limit(&self) -> RateLimit {
        RateLimit::new(self.videos_per_hour, 3_600, self.video_burst)
    }
}

/// The text is a part of a subject of the audit log, which has at most 200 characters.
impl fmt::Display for PlayRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            view_window_s,
            ad_interval_s,
            playback_rate,
            credit_burst_s,
            max_unconfirmed_s,
            min_watch_s,
            views_per_minute,
            view_burst,
            videos_per_hour,
            video_burst,
        } = self;
        write!(
            f,
            "view window {view_window_s} s, ad interval {ad_interval_s} s, \
             rate {playback_rate}, credit burst {credit_burst_s} s, \
             unconfirmed {max_unconfirmed_s} s, watch {min_watch_s} s, \
             views {views_per_minute}/min burst {view_burst}, \
             videos {videos_per_hour}/h burst {video_burst}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_text_fits_into_the_audit_log() {
        let longest = PlayRules {
            view_window_s: MAX_RULE_S,
            ad_interval_s: MAX_RULE_S,
            playback_rate: PlaybackRate(99_999),
            credit_burst_s: MAX_BURST_S,
            max_unconfirmed_s: MAX_RULE_S,
            min_watch_s: MAX_RULE_S,
            views_per_minute: MAX_LIMIT,
            view_burst: MAX_LIMIT,
            videos_per_hour: MAX_LIMIT,
            video_burst: MAX_LIMIT,
        };
        let subject = format!("play rules {}: {longest}", u32::MAX);
        assert!(subject.len() <= 200, "{} in {subject}", subject.len());
    }
}
