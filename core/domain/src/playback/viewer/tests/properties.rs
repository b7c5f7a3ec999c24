//! The limits hold for random sequences of requests.

use super::*;
use crate::playback::PlaybackRate;
use proptest::prelude::*;

/// A request, and the microseconds since the last one.
#[derive(Debug, Clone, Copy)]
enum Step {
    Play(usize),
    Pause(usize, i64),
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let after = prop_oneof![
        4 => 0_i64..3 * S,
        4 => 0_i64..400 * S,
        1 => 0_i64..30_000 * S,
        1 => -400 * S..0_i64,
        1 => -500_000 * S..0_i64,
    ];
    let video = prop_oneof![4 => 0_usize..3, 1 => 0_usize..40];
    let current = prop_oneof![3 => 0..=LENGTH_S, 3 => 0_i64..900, 1 => Just(LENGTH_S)];
    let step = prop_oneof![
        2 => video.clone().prop_map(Step::Play),
        5 => (video, current).prop_map(|(video, current_s)| Step::Pause(video, current_s)),
    ];
    prop::collection::vec((after, step), 1..60)
}

fn rules() -> impl Strategy<Value = PlayRules> {
    let rate = prop_oneof![Just(2_000), 1_u32..10_000];
    let unconfirmed = prop_oneof![Just(14_400), 1_u32..86_400];
    (
        rate,
        0_u32..60,
        unconfirmed,
        1_u32..600,
        1_u32..120,
        1_u32..80,
    )
        .prop_map(
            |(rate, burst, unconfirmed, interval, views, view_burst)| PlayRules {
                playback_rate: PlaybackRate(rate),
                credit_burst_s: burst,
                max_unconfirmed_s: unconfirmed,
                ad_interval_s: interval,
                views_per_minute: views,
                view_burst,
                ..RULES
            },
        )
}

/// A recorded pause: the last contact before it, its time, and what it credited.
struct Paused {
    since: i64,
    at: i64,
    credit: Credit,
}

/// Asserts the limits for every window from a contact to a pause.
fn assert_limits(paused: &[Paused], rules: &PlayRules) -> Result<(), TestCaseError> {
    let interval = i64::from(rules.ad_interval_s);
    for from in paused.iter().map(|one| one.since) {
        for upto in paused.iter().map(|one| one.at).filter(|upto| *upto >= from) {
            let within = |one: &&Paused| one.since >= from && one.at <= upto;
            let credits = paused
                .iter()
                .filter(within)
                .map(|one| one.credit.credited_s);
            let beyond = i128::from(credits.sum::<i64>()) - i128::from(rules.credit_burst_s);
            let allowed = i128::from(rules.playback_rate.0) * i128::from(upto - from);
            prop_assert!(beyond * 1_000_000_000 <= allowed, "from {from} to {upto}");
        }
    }
    for first in 0..paused.len() {
        let (mut ads, mut credited) = (0, 0);
        for one in &paused[first..] {
            ads += one.credit.ad_views;
            credited += one.credit.credited_s;
            prop_assert!(
                ads <= credited / interval + 2,
                "{ads} ad views of {credited} s"
            );
        }
    }
    Ok(())
}

/// Random sequences of a run; `PROPTEST_CASES` sets a higher number.
const CASES: u32 = 10_000;

fn cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases.max(CASES),
        ..default
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_sequence_of_requests_exceeds_the_limits(rules in rules(), steps in steps()) {
        let mut one = Watcher { rules, ..Watcher::new() };
        let (mut clock, mut shifted) = (0, 0);
        let mut paused: Vec<Paused> = Vec::new();
        let mut plays: Vec<i64> = Vec::new();
        for (after, step) in steps {
            clock += after;
            // The limits hold in the viewer's own time, which a correction of the clock does not change.
            let last = one.viewer.last_micros;
            let back = last - (BEGAN + clock);
            if back > CLOCK_TOLERANCE_MICROS {
                shifted += back;
            }
            let now = |viewer: &Viewer| viewer.last_micros + shifted;
            match step {
                Step::Play(video) => {
                    if one.play(video, clock).is_ok() {
                        plays.push(now(&one.viewer));
                    }
                }
                Step::Pause(video, current_s) => {
                    one.viewer.advance(BEGAN + clock);
                    let session = one.viewer.open.iter().find(|open| open.video_id == id(video));
                    let since = session.map(|session| session.since_micros + shifted);
                    if let Ok(credit) = one.pause(video, current_s, clock) {
                        prop_assert!(credit.credited_s >= 0 && credit.capped_s >= 0);
                        prop_assert!(credit.is_recorded || credit.credited_s == 0);
                        let (since, at) = (since.unwrap(), now(&one.viewer));
                        paused.push(Paused { since, at, credit });
                    }
                }
            }
            prop_assert!(one.viewer.open.len() <= MAX_OPEN_SESSIONS);
        }
        assert_limits(&paused, &rules)?;
        let limit = rules.view_limit();
        for (first, from) in plays.iter().enumerate() {
            for (last, upto) in plays.iter().enumerate().skip(first) {
                let views = i64::try_from(last - first + 1).unwrap();
                prop_assert!((views - limit.burst()) * limit.interval_micros() <= upto - from);
            }
        }
    }

    #[test]
    fn an_honest_viewer_loses_nothing(
        // Thousandths of the maximum rate for each of two devices; together at most the maximum.
        share in 0_u32..=1_000,
        pauses in prop::collection::vec((1_i64..600, any::<bool>()), 1..60),
    ) {
        let mut one = Watcher::new();
        one.play(0, 0).unwrap();
        one.play(1, 0).unwrap();
        let rates = [2 * i64::from(share), 2 * i64::from(1_000 - share)];
        let mut at = 0;
        for (after, is_first) in pauses {
            at += after;
            let device = usize::from(is_first);
            // A player reports whole seconds.
            let current_s = (at * rates[device] / 1_000).min(LENGTH_S - 1);
            let expected = current_s - one.positions[device];
            let credit = one.pause(device, current_s, at * S).unwrap();
            prop_assert_eq!(credit.credited_s, expected, "at {} s", at);
            prop_assert_eq!(credit.capped_ad_views, 0);
        }
    }
}
