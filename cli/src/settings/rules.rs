//! The settings of the rules of plays. The database stores the rules; the settings only set the first
//! version.

use balance_domain::playback::{MAX_BURST_S, MAX_LIMIT, MAX_RULE_S, PlaybackRate};
use balance_store::playback::RulesChange;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RuleSettings {
    /// Seconds after a counted view in which the same viewer and video do not count again; stored at
    /// the first start, a different value is then rejected: see `balance rules`
    ///
    /// Range: 0 to 86,400
    ///
    /// Default: the stored rule; 30 in a new database
    #[arg(
        long,
        env = "VIEW_WINDOW_S",
        value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_RULE_S))
    )]
    pub(crate) view_window_s: Option<u32>,

    /// Seconds between two ad slots of a video; stored at the first start, a different value is then
    /// rejected: see `balance rules`
    ///
    /// Range: 1 to 86,400
    ///
    /// Default: the stored rule; 300 in a new database
    #[arg(
        long,
        env = "AD_INTERVAL_S",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_RULE_S))
    )]
    pub(crate) ad_interval_s: Option<u32>,

    /// Highest playback rate that a pause credits, 0 disables the cap; stored at the first start, a
    /// different value is then rejected: see `balance rules`
    ///
    /// Range: 0 to 100, at most three decimals
    ///
    /// Default: the stored rule; 2 in a new database
    #[arg(long, env = "MAX_PLAYBACK_RATE")]
    pub(crate) max_playback_rate: Option<PlaybackRate>,

    /// Seconds that may be credited to a viewer beyond the elapsed time; stored at the first start, a
    /// different value is then rejected: see `balance rules`
    ///
    /// Range: 0 to 3,600
    ///
    /// Default: the stored rule; 5 in a new database
    #[arg(
        long,
        env = "CREDIT_BURST_S",
        value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_BURST_S))
    )]
    pub(crate) credit_burst_s: Option<u32>,

    /// Longest time since the last play or pause of a session, in seconds, that a pause uses; stored at
    /// the first start, a different value is then rejected: see `balance rules`
    ///
    /// Range: 1 to 86,400
    ///
    /// Default: the stored rule; 14,400 in a new database
    #[arg(
        long,
        env = "MAX_UNCONFIRMED_S",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_RULE_S))
    )]
    pub(crate) max_unconfirmed_s: Option<u32>,

    /// Seconds that a session must be credited before its view counts; with 0, a view counts at its play;
    /// stored at the first start, a different value is then rejected: see `balance rules`
    ///
    /// Range: 0 to 86,400
    ///
    /// Default: the stored rule; 0 in a new database
    #[arg(
        long,
        env = "MIN_WATCH_S",
        value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_RULE_S))
    )]
    pub(crate) min_watch_s: Option<u32>,

    /// Plays of a viewer in a minute, over all videos; stored at the first start, a different value is
    /// then rejected: see `balance rules`
    ///
    /// Range: 1 to 100,000
    ///
    /// Default: the stored rule; 30 in a new database
    #[arg(
        long,
        env = "VIEWS_PER_MINUTE",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT))
    )]
    pub(crate) views_per_minute: Option<u32>,

    /// Plays of a viewer at once, over all videos; stored at the first start, a different value is then
    /// rejected: see `balance rules`
    ///
    /// Range: 1 to 100,000
    ///
    /// Default: the stored rule; 60 in a new database
    #[arg(
        long,
        env = "VIEW_BURST",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT))
    )]
    pub(crate) view_burst: Option<u32>,

    /// Videos that an account registers in an hour; stored at the first start, a different value is
    /// then rejected: see `balance rules`
    ///
    /// Range: 1 to 100,000
    ///
    /// Default: the stored rule; 60 in a new database
    #[arg(
        long,
        env = "VIDEOS_PER_HOUR",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT))
    )]
    pub(crate) videos_per_hour: Option<u32>,

    /// Videos that an account registers at once; stored at the first start, a different value is then
    /// rejected: see `balance rules`
    ///
    /// Range: 1 to 100,000
    ///
    /// Default: the stored rule; 100 in a new database
    #[arg(
        long,
        env = "VIDEO_BURST",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT))
    )]
    pub(crate) video_burst: Option<u32>,
}

impl RuleSettings {
    /// Returns the rules that are given.
    pub(crate) fn given(&self) -> RulesChange {
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

    /// Removes the rules that are options of `balance rules set`.
    pub(crate) fn forget(&mut self, new: &RulesChange) {
        forget(&mut self.view_window_s, new.view_window_s);
        forget(&mut self.ad_interval_s, new.ad_interval_s);
        forget(&mut self.max_playback_rate, new.playback_rate);
        forget(&mut self.credit_burst_s, new.credit_burst_s);
        forget(&mut self.max_unconfirmed_s, new.max_unconfirmed_s);
        forget(&mut self.min_watch_s, new.min_watch_s);
        forget(&mut self.views_per_minute, new.views_per_minute);
        forget(&mut self.view_burst, new.view_burst);
        forget(&mut self.videos_per_hour, new.videos_per_hour);
        forget(&mut self.video_burst, new.video_burst);
    }
}

/// Removes a setting if there is an option instead of it.
fn forget<T>(setting: &mut Option<T>, option: Option<T>) {
    if option.is_some() {
        *setting = None;
    }
}
