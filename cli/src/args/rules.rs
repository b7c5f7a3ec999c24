//! The arguments of `balance rules`.

use balance_domain::playback::{MAX_BURST_S, MAX_LIMIT, MAX_RULE_S, PlaybackRate};
use balance_store::playback::RulesChange;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Print the rules that apply, with their version
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Store a new version of the rules; rules that are not given stay as they are
    ///
    /// Running processes use it within seconds. A process whose environment has another value does not
    /// start again: change or unset the variable. Ads, views and seconds of the past stay as they are.
    Set(NewRules),
}

/// The options have the ids of the settings with the same names, so that clap does not add these.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct NewRules {
    /// Seconds after a counted view in which the same viewer and video do not count again
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_RULE_S)))]
    pub(crate) view_window_s: Option<u32>,
    /// Seconds between two ad slots of a video
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_RULE_S)))]
    pub(crate) ad_interval_s: Option<u32>,
    /// Highest playback rate that a pause credits, such as 1.25; 0 disables the cap
    #[arg(long)]
    pub(crate) max_playback_rate: Option<PlaybackRate>,
    /// Seconds that may be credited to a viewer beyond the elapsed time
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_BURST_S)))]
    pub(crate) credit_burst_s: Option<u32>,
    /// Longest time since the last play or pause of a session, in seconds, that a pause uses
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_RULE_S)))]
    pub(crate) max_unconfirmed_s: Option<u32>,
    /// Seconds that a session must be credited before its view counts; with 0, a view counts at its play
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_RULE_S)))]
    pub(crate) min_watch_s: Option<u32>,
    /// Plays of a viewer in a minute, over all videos
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT)))]
    pub(crate) views_per_minute: Option<u32>,
    /// Plays of a viewer at once, over all videos
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT)))]
    pub(crate) view_burst: Option<u32>,
    /// Videos that an account registers in an hour
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT)))]
    pub(crate) videos_per_hour: Option<u32>,
    /// Videos that an account registers at once
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT)))]
    pub(crate) video_burst: Option<u32>,
}

impl NewRules {
    pub(crate) const fn change(self) -> RulesChange {
        RulesChange {
            view_window_s: self.view_window_s,
            ad_interval_s: self.ad_interval_s,
            playback_rate: self.max_playback_rate,
            credit_burst_s: self.credit_burst_s,
            max_unconfirmed_s: self.max_unconfirmed_s,
            min_watch_s: self.min_watch_s,
            views_per_minute: self.views_per_minute,
            view_burst: self.view_burst,
            videos_per_hour: self.videos_per_hour,
            video_burst: self.video_burst,
            replaces: None,
        }
    }
}
