use super::*;
use crate::playback::PlaybackRate;
use proptest::prelude::*;

const S: i64 = MICROS_PER_S;
/// An instant in 2023.
const BEGAN: i64 = 1_700_000_000 * S;
const RULES: PlayRules = PlayRules::DEFAULT;
/// The length of all videos, in seconds.
const LENGTH_S: i64 = 20_000;

/// A viewer and the positions in the videos, with a clock in seconds.
struct Watcher {
    viewer: Viewer,
    positions: [i64; 40],
    rules: PlayRules,
}

impl Watcher {
    fn new() -> Self {
        Self {
            viewer: Viewer::default(),
            positions: [0; 40],
            rules: RULES,
        }
    }

    fn play(&mut self, video: usize, at_micros: i64) -> Result<Opened, TooMany> {
        self.viewer.advance(BEGAN + at_micros);
        self.viewer.play(id(video), false, &self.rules)
    }

    fn pause(
        &mut self,
        video: usize,
        current_s: i64,
        at_micros: i64,
    ) -> Result<Credit, PauseError> {
        self.viewer.advance(BEGAN + at_micros);
        let pause = Pause {
            video_id: id(video),
            position_s: self.positions[video],
            current_s,
            duration_s: LENGTH_S,
            is_own: false,
            has_ads: true,
        };
        let credit = self.viewer.pause(&pause, &self.rules)?;
        self.positions[video] = if credit.is_finished { 0 } else { current_s };
        Ok(credit)
    }

    fn credited(&mut self, video: usize, current_s: i64, at_s: i64) -> i64 {
        self.pause(video, current_s, at_s * S).unwrap().credited_s
    }
}

fn id(video: usize) -> VideoId {
    VideoId(i64::try_from(video).unwrap() + 1)
}

#[test]
fn a_pause_credits_what_the_clock_allows() {
    let played = || {
        let mut one = Watcher::new();
        one.play(0, 0).unwrap();
        one
    };
    assert_eq!(played().credited(0, 120, 120), 120);
    assert_eq!(played().credited(0, 120, 60), 120, "at twice the speed");
    assert_eq!(played().credited(0, 120, 50), 105, "capped");
    assert_eq!(played().credited(0, 5, 0), 5, "the burst");
    let mut sought = played();
    sought.positions[0] = 100;
    assert_eq!(sought.credited(0, 90, 60), 0, "backwards");
    let credit = played().pause(0, 600, 100 * S).unwrap();
    assert_eq!((credit.credited_s, credit.capped_s), (205, 395));
    let mut uncapped = played();
    uncapped.rules.playback_rate = PlaybackRate(0);
    assert_eq!(uncapped.credited(0, 600, 0), 600, "no cap");
    let mut silent = played();
    assert_eq!(
        silent.credited(0, 20_000, 9 * 3_600),
        20_000,
        "at most 4 h at twice the speed"
    );
    let mut silent = played();
    silent.rules.max_unconfirmed_s = 3_600;
    assert_eq!(silent.credited(0, 20_000, 9 * 3_600), 7_205);
}

#[test]
fn a_session_is_open_from_its_play_to_the_end_of_the_video() {
    let mut one = Watcher::new();
    assert_eq!(one.pause(0, 1, 0), Err(PauseError::NoSession));
    one.play(0, 0).unwrap();
    one.play(0, S).unwrap();
    assert!(one.pause(0, LENGTH_S, 9_000 * S).unwrap().is_finished);
    assert_eq!(one.pause(0, 1, 9_000 * S), Err(PauseError::NoSession));
}

#[test]
fn an_owner_earns_nothing_and_has_one_event() {
    let mut one = Watcher::new();
    let opened = |is_recorded| Opened {
        is_counted: false,
        is_recorded,
    };
    assert_eq!(one.viewer.play(id(0), true, &RULES), Ok(opened(true)));
    assert_eq!(one.viewer.play(id(0), true, &RULES), Ok(opened(false)));
    one.viewer.advance(100 * S);
    let pause = Pause {
        video_id: id(0),
        position_s: 10,
        current_s: 100,
        duration_s: LENGTH_S,
        is_own: true,
        has_ads: true,
    };
    let credit = one.viewer.pause(&pause, &RULES).unwrap();
    assert_eq!((credit.credited_s, credit.capped_s), (0, 0));
    assert!(!credit.is_recorded && !credit.is_counted);
}

#[test]
fn a_view_counts_once_it_was_watched_long_enough() {
    let mut one = Watcher::new();
    assert!(one.play(0, 0).unwrap().is_counted);
    one.rules.min_watch_s = 30;
    assert!(!one.play(1, 0).unwrap().is_counted);
    let mut counted = |current_s, at_s| one.pause(1, current_s, at_s * S).unwrap().is_counted;
    assert!(!counted(29, 29));
    assert!(counted(30, 30));
    assert!(!counted(90, 90), "once");
    // A shorter video needs its length.
    one.play(2, 100 * S).unwrap();
    let pause = Pause {
        video_id: id(2),
        position_s: 0,
        current_s: 10,
        duration_s: 10,
        is_own: false,
        has_ads: false,
    };
    one.viewer.advance(BEGAN + 110 * S);
    assert!(one.viewer.pause(&pause, &one.rules).unwrap().is_counted);
}

#[test]
fn the_burst_is_that_of_the_viewer_and_not_of_each_pause() {
    let mut one = Watcher::new();
    for video in 0..20 {
        one.play(video, 0).unwrap();
    }
    let credited: i64 = (0..20).map(|video| one.credited(video, 900, 1)).sum();
    assert_eq!(credited, 7);
    let mut one = Watcher::new();
    one.play(0, 0).unwrap();
    let credited: i64 = (1..100).map(|n| one.credited(0, n * 100, n)).sum();
    assert_eq!(credited, 2 * 99 + 5);
}

#[test]
fn two_devices_lose_nothing() {
    let mut one = Watcher::new();
    one.play(0, 0).unwrap();
    one.play(1, 0).unwrap();
    // One pauses every second, the other once in four hours.
    let hours = 4 * 3_600;
    for second in 1..=hours {
        assert_eq!(one.credited(0, second, second), 1, "at {second} s");
    }
    assert_eq!(one.credited(1, hours, hours), hours);
    // The time of both is used.
    one.play(2, hours * S).unwrap();
    assert_eq!(one.credited(2, 100, hours), 5);
}

#[test]
fn time_before_a_session_is_free_for_an_older_one_only() {
    let mut one = Watcher::new();
    one.play(0, 0).unwrap();
    one.play(1, 100 * S).unwrap();
    assert_eq!(one.credited(1, 900, 200), 205, "since its play");
    assert_eq!(one.credited(0, 900, 200), 200, "the first 100 s");
}

#[test]
fn pauses_have_a_limit_and_quiet_ones_are_no_events() {
    let mut one = Watcher::new();
    one.play(0, 0).unwrap();
    for pause in 1..=5 {
        assert!(one.pause(0, pause, 0).unwrap().is_recorded);
    }
    let quiet = one.pause(0, 6, 0).unwrap();
    assert!(!quiet.is_recorded && quiet.capped_s == 1);
    assert_eq!(one.positions[0], 6, "the position moves");
    let before = one.viewer.clone();
    let wait = TooMany {
        retry_after_micros: S / 2,
    };
    assert_eq!(one.pause(0, 7, S / 2), Err(PauseError::TooMany(wait)));
    let last_micros = before.last_micros + S / 2;
    assert_eq!(
        one.viewer,
        Viewer {
            last_micros,
            ..before
        },
        "nothing changed"
    );
    assert_eq!(one.credited(0, 7, 1), 1, "later");
}

#[test]
fn views_have_a_limit_over_all_videos() {
    let mut one = Watcher::new();
    for view in 0..60 {
        one.play(view % 40, 0).unwrap();
    }
    let wait = TooMany {
        retry_after_micros: 2 * S,
    };
    assert_eq!(one.play(0, 0), Err(wait));
    one.play(0, 2 * S).unwrap();
    assert_eq!(one.viewer.open.len(), MAX_OPEN_SESSIONS);
    assert_eq!(
        one.pause(25, 1, 9 * S),
        Err(PauseError::NoSession),
        "the oldest are closed"
    );
}

#[test]
fn ad_views_follow_the_credited_seconds() {
    let mut one = Watcher::new();
    one.play(0, 0).unwrap();
    let credit = one.pause(0, 7_200, 3_600 * S).unwrap();
    assert_eq!((credit.ad_views, credit.capped_ad_views), (24, 0));
    // Seeks to before each slot.
    let mut shown = 0;
    for second in 1..=100 {
        one.positions[0] = 299;
        shown += one.pause(0, 301, (3_600 + second) * S).unwrap().ad_views;
    }
    assert_eq!(shown, 1, "one was left, and 200 s were credited");
    let mut one = Watcher::new();
    one.positions[0] = 299;
    one.play(0, 0).unwrap();
    assert_eq!(
        one.pause(0, 300, S).unwrap().ad_views,
        1,
        "one to begin with"
    );
}

#[test]
fn a_step_back_of_the_clock_uses_no_time_twice() {
    let mut one = Watcher::new();
    one.play(0, 1_000 * S).unwrap();
    assert_eq!(one.credited(0, 200, 1_100), 200);
    assert_eq!(one.credited(0, 300, 1_000), 5, "the time stands still");
    assert_eq!(one.credited(0, 500, 1_100), 0);
    // A wrong clock was set right: the instants move back with it.
    let mut one = Watcher::new();
    one.play(0, 300_000 * S).unwrap();
    assert_eq!(one.credited(0, 300, 0), 5);
    assert_eq!(one.credited(0, 500, 100), 200);
}

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
