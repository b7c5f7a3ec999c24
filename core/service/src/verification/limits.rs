//! The limits of viewers: a day's credited seconds and ad views of each viewer must be possible by the
//! rules that decided them. The intake holds closer limits; these find events that it did not write.
//!
//! Imports and rows of before the limits are trusted, and so are viewers who have such rows.

use crate::verification::findings::{At, Findings, Kind};
use balance_domain::{
    calendar::BusinessTimezone,
    clock::CLOCK_TOLERANCE_MICROS,
    playback::{MAX_AD_VIEWS, MAX_OPEN_SESSIONS, PlayRules},
    units::MICROS_PER_S,
};
use balance_store::{
    Store, StoreResult,
    verification::{ViewerFacts, ViewerLimits},
};
use chrono::NaiveDate;

/// Viewers that are read at a time.
const PAGE: u32 = 1_000;

pub(super) async fn verify(
    store: &Store,
    timezone: BusinessTimezone,
    date: NaiveDate,
    findings: &mut Findings,
) -> StoreResult<()> {
    let Ok(day) = timezone.day(date) else {
        return Ok(());
    };
    let rules = store.limits_of_day(date).await?;
    let day_micros = day.end_micros - day.start_micros;
    let Some(limits) = limits(&rules, day_micros) else {
        return Ok(());
    };
    let mut after = i64::MIN;
    loop {
        let viewers = store.viewers_beyond(date, limits, after, PAGE).await?;
        for viewer in &viewers {
            report(date, limits, *viewer, findings);
        }
        match viewers.last() {
            Some(last) => after = last.user_id,
            None => return Ok(()),
        }
    }
}

/// Returns the widest limits of some rules for a day, if there are any rules.
fn limits(rules: &[PlayRules], day_micros: i64) -> Option<ViewerLimits> {
    let credited = |rules: &PlayRules| {
        // A pause of the day can credit time of before the day, and those of all open sessions can each
        // credit other time.
        let unconfirmed_micros = i64::from(rules.max_unconfirmed_s) * MICROS_PER_S;
        let sessions = i64::try_from(MAX_OPEN_SESSIONS).unwrap_or(i64::MAX);
        let before_micros = unconfirmed_micros.saturating_mul(sessions);
        let micros = before_micros.saturating_add(day_micros + CLOCK_TOLERANCE_MICROS);
        match rules.playback_rate.0 {
            0 => i64::MAX,
            _ => rules
                .playback_rate
                .seconds_of(micros)
                .saturating_add(rules.credit_burst_s.into()),
        }
    };
    Some(ViewerLimits {
        credited_s: rules.iter().map(credited).max()?,
        ad_interval_s: rules.iter().map(|rules| rules.ad_interval_s).min()?.max(1),
    })
}

fn report(date: NaiveDate, limits: ViewerLimits, viewer: ViewerFacts, findings: &mut Findings) {
    let key = format!("date {date}, user {}", viewer.user_id);
    let at = |table| At {
        kind: Kind::History,
        table,
        key: &key,
    };
    if viewer.credited_s > limits.credited_s {
        let expected = format!("at most {}", limits.credited_s);
        findings.add(at("play_history"), "play_time", expected, viewer.credited_s);
    }
    let ad_views = viewer.credited_s.max(0) / i64::from(limits.ad_interval_s) + MAX_AD_VIEWS;
    if viewer.ad_views > ad_views {
        let expected = format!("at most {ad_views}");
        findings.add(at("ad_history"), "row", expected, viewer.ad_views);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use balance_domain::{playback::PlaybackRate, units::MICROS_PER_DAY};

    #[test]
    fn the_limits_of_a_day_are_the_widest_of_its_rules() {
        let limits = |rules: &[PlayRules]| limits(rules, MICROS_PER_DAY);
        assert_eq!(limits(&[]), None);
        let one = PlayRules::DEFAULT;
        let expected = ViewerLimits {
            // 24 h, 4 h of each of 32 sessions, and 5 min, at twice the speed.
            credited_s: 2 * ((24 + 32 * 4) * 3_600 + 300) + 5,
            ad_interval_s: 300,
        };
        assert_eq!(limits(&[one]), Some(expected));
        let other = PlayRules {
            ad_interval_s: 60,
            playback_rate: PlaybackRate(1_000),
            ..one
        };
        let both = limits(&[one, other]).unwrap();
        assert_eq!(
            both,
            ViewerLimits {
                ad_interval_s: 60,
                ..expected
            }
        );
        let uncapped = PlayRules {
            playback_rate: PlaybackRate(0),
            ..one
        };
        assert_eq!(limits(&[one, uncapped]).unwrap().credited_s, i64::MAX);
    }
}
