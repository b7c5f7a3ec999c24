//! The settings of the playback rules and of the event stream.

use crate::settings::rules::RuleSettings;
use balance_domain::units::SECONDS_PER_DAY;
use balance_store::{events::MAX_SHARDS, playback::Lifetimes};

/// Seconds for which responses to requests with an idempotency key are stored: one day.
const REPLAY_S: u32 = SECONDS_PER_DAY;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PlaybackSettings {
    #[command(flatten)]
    pub(crate) rules: RuleSettings,

    /// Seconds that a viewer's position in a video is stored
    ///
    /// Range: 1 or more
    #[arg(
        long,
        env = "RESUME_TTL_S",
        default_value_t = 2_592_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) resume_ttl_s: u32,

    /// Event streams of a fleet, each of a part of the viewers; stored at the first start, a different
    /// value is then rejected
    ///
    /// Range: 1 to 64
    #[arg(
        long,
        env = "INTAKE_SHARDS",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_SHARDS))
    )]
    pub(crate) intake_shards: u16,

    /// Events of one stream that may wait for the event writers; more are answered with 503
    ///
    /// Range: 1 or more
    #[arg(
        long,
        env = "INTAKE_BACKLOG_MAX",
        default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) intake_backlog_max: u32,

    /// Hours that persisted events stay in a stream, for a replay
    ///
    /// Range: 0 to 8,760
    #[arg(
        long,
        env = "STREAM_RETENTION_H",
        default_value_t = 48,
        value_parser = clap::value_parser!(u32).range(0..=8_760)
    )]
    pub(crate) stream_retention_h: u32,

    /// Seconds that `closeDayStep` waits for the events of its day
    ///
    /// Range: 1 to 86,400
    #[arg(
        long,
        env = "CLOSE_TIMEOUT_S",
        default_value_t = 3_600,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub(crate) close_timeout_s: u32,
}

impl PlaybackSettings {
    /// Checks values that must fit together.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match self.rules.view_window_s {
            Some(view_window_s) => self.check_view_window(view_window_s),
            None => Ok(()),
        }
    }

    /// Checks that positions are stored as long as a view window lasts.
    pub(crate) fn check_view_window(&self, view_window_s: u32) -> anyhow::Result<()> {
        let resume_ttl_s = self.resume_ttl_s;
        if resume_ttl_s < view_window_s {
            anyhow::bail!(
                "RESUME_TTL_S: {resume_ttl_s} is less than VIEW_WINDOW_S: {view_window_s}; a viewer \
                 whose session has expired could neither pause nor play again"
            );
        }
        Ok(())
    }

    pub(crate) const fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            resume_ttl_s: self.resume_ttl_s,
            replay_s: REPLAY_S,
        }
    }
}
