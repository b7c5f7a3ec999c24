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
    line(&format!("view window           {} s", rules.view_window_s));
    line(&format!("ad interval           {} s", rules.ad_interval_s));
    let rate = match rules.playback_rate.0 {
        0 => "none".to_owned(),
        _ => rules.playback_rate.to_string(),
    };
    line(&format!("maximum playback rate {rate}"));
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    version: u32,
    view_window_s: u32,
    ad_interval_s: u32,
    max_playback_rate: String,
    set_at: String,
}

impl View {
    fn of(stored: &RulesVersion) -> Self {
        Self {
            version: stored.version,
            view_window_s: stored.rules.view_window_s,
            ad_interval_s: stored.rules.ad_interval_s,
            max_playback_rate: stored.rules.playback_rate.to_string(),
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
