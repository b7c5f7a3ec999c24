mod properties;

use super::*;
use crate::playback::PlaybackRate;

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
fn a_shorter_ad_interval_leaves_two_ad_views_in_store() {
    let mut one = Watcher::new();
    one.play(0, 0).unwrap();
    one.pause(0, 299, 299 * S).unwrap();
    one.rules.ad_interval_s = 30;
    let mut shown = 0;
    for second in 300..320 {
        one.positions[0] = 29;
        shown += one.pause(0, 30, second * S).unwrap().ad_views;
    }
    assert_eq!(shown, 2, "two in store, and 20 s were credited");
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
