//! The rules of plays that decide about money. The database stores them in versions.

use crate::{playback::PlaybackRate, units::SECONDS_PER_DAY};
use std::fmt;

/// The rules of plays that decide which views, seconds and ad views count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayRules {
    /// The length of the view window in seconds, 0 to [`MAX_RULE_S`]. With 0, every view counts.
    pub view_window_s: u32,
    /// The distance between ad slots in seconds, 1 to [`MAX_RULE_S`].
    pub ad_interval_s: u32,
    /// The highest playback rate that a pause credits.
    pub playback_rate: PlaybackRate,
}

/// The longest view window and the longest distance between ad slots, in seconds.
pub const MAX_RULE_S: u32 = SECONDS_PER_DAY;

impl PlayRules {
    /// The rules of a database that is created without others.
    pub const DEFAULT: Self = Self {
        view_window_s: 30,
        ad_interval_s: 300,
        playback_rate: PlaybackRate(2_000),
    };
}

impl fmt::Display for PlayRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            view_window_s,
            ad_interval_s,
            playback_rate,
        } = self;
        write!(
            f,
            "view window {view_window_s} s, ad interval {ad_interval_s} s, \
             maximum playback rate {playback_rate}"
        )
    }
}
