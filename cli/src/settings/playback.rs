//! The settings of the playback rules and of the event stream.

use balance_domain::{playback::PlaybackRate, units::SECONDS_PER_DAY};
use balance_store::{events::MAX_SHARDS, playback::IntakeRules};

/// Seconds for which responses to requests with an idempotency key are stored: one day.
const REPLAY_S: u32 = SECONDS_PER_DAY;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PlaybackSettings {
    /// Seconds after a counted view in which the same viewer and video do not count again
    ///
    /// Range: 0 to 86,400
    #[arg(
        long,
        env = "VIEW_WINDOW_S",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(0..=86_400)
    )]
    pub(crate) view_window_s: u32,

    /// Seconds between two ad slots of a video
    ///
    /// Range: 1 to 86,400
    #[arg(
        long,
        env = "AD_INTERVAL_S",
        default_value_t = 300,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub(crate) ad_interval_s: u32,

    /// Highest playback rate that a pause credits; 0 disables the cap
    ///
    /// Range: 0 to 100, at most three decimals
    #[arg(
        long,
        env = "MAX_PLAYBACK_RATE",
        default_value = "2.0",
        value_parser = playback_rate
    )]
    pub(crate) max_playback_rate: PlaybackRate,

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
        let (resume_ttl_s, view_window_s) = (self.resume_ttl_s, self.view_window_s);
        if resume_ttl_s < view_window_s {
            anyhow::bail!(
                "RESUME_TTL_S: {resume_ttl_s} is less than VIEW_WINDOW_S: {view_window_s}; a viewer \
                 whose session has expired could neither pause nor play again"
            );
        }
        Ok(())
    }

    pub(crate) const fn intake_rules(&self) -> IntakeRules {
        IntakeRules {
            view_window_s: self.view_window_s,
            playback_rate: self.max_playback_rate,
            resume_ttl_s: self.resume_ttl_s,
            replay_s: REPLAY_S,
            ad_interval_s: self.ad_interval_s,
        }
    }
}

/// Parses a rate such as 2 or 1.25, from 0 to 100.
fn playback_rate(text: &str) -> Result<PlaybackRate, String> {
    let reason = "not a number from 0 to 100 with at most three decimals, such as 1.25";
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 3 || !are_digits(whole) || !are_digits(decimals) {
        return Err(reason.to_owned());
    }
    let thousandths: Option<u32> = format!("{whole}{decimals:0<3}").parse().ok();
    match thousandths {
        Some(rate) if rate <= 100_000 => Ok(PlaybackRate(rate)),
        _ => Err(reason.to_owned()),
    }
}
