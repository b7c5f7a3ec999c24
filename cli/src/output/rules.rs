//! The rules of plays.

use crate::output::{json, line};
use balance_store::playback::RulesVersion;
use chrono::SecondsFormat;
use serde::Serialize;

/// Prints a version of the rules, or that there is none.
pub(crate) fn play_rules(stored: Option<&RulesVersion>) {
    let Some(stored) = stored else {
        line("no rules are stored yet; the first process that uses them stores its settings");
        return;
    };
    let rules = stored.rules;
    line(&format!(
        "version {}, set at {}",
        stored.version,
        stored.set_at.format("%Y-%m-%d %H:%M:%S UTC")
    ));
    let rate = match rules.playback_rate.0 {
        0 => "none".to_owned(),
        _ => rules.playback_rate.to_string(),
    };
    for (name, value) in [
        ("view window", format!("{} s", rules.view_window_s)),
        ("ad interval", format!("{} s", rules.ad_interval_s)),
        ("maximum playback rate", rate),
        ("credit burst", format!("{} s", rules.credit_burst_s)),
        (
            "maximum unconfirmed time",
            format!("{} s", rules.max_unconfirmed_s),
        ),
        ("minimum watch", format!("{} s", rules.min_watch_s)),
        ("views per minute", rules.views_per_minute.to_string()),
        ("view burst", rules.view_burst.to_string()),
        ("videos per hour", rules.videos_per_hour.to_string()),
        ("video burst", rules.video_burst.to_string()),
    ] {
        line(&format!("{name:<25}{value}"));
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    version: u32,
    view_window_s: u32,
    ad_interval_s: u32,
    max_playback_rate: String,
    credit_burst_s: u32,
    max_unconfirmed_s: u32,
    min_watch_s: u32,
    views_per_minute: u32,
    view_burst: u32,
    videos_per_hour: u32,
    video_burst: u32,
    set_at: String,
}

impl View {
    fn of(stored: &RulesVersion) -> Self {
        Self {
            version: stored.version,
            view_window_s: stored.rules.view_window_s,
            ad_interval_s: stored.rules.ad_interval_s,
            max_playback_rate: stored.rules.playback_rate.to_string(),
            credit_burst_s: stored.rules.credit_burst_s,
            max_unconfirmed_s: stored.rules.max_unconfirmed_s,
            min_watch_s: stored.rules.min_watch_s,
            views_per_minute: stored.rules.views_per_minute,
            view_burst: stored.rules.view_burst,
            videos_per_hour: stored.rules.videos_per_hour,
            video_burst: stored.rules.video_burst,
            set_at: stored
                .set_at
                .and_utc()
                .to_rfc3339_opts(SecondsFormat::AutoSi, true),
        }
    }
}

/// Prints a version of the rules as JSON; `null` if there is none.
pub(crate) fn play_rules_json(stored: Option<&RulesVersion>) -> anyhow::Result<()> {
    json(&stored.map(View::of))
}
