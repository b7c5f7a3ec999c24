//! The embedded intake compared with the domain, on random sequences of requests.
//!
//! `PROPTEST_CASES` sets a higher number of sequences.

use crate::events::intake::{LIFETIMES, OWNER};
use balance_domain::{
    accounts::{User, UserId},
    clock::Clock,
    playback::{
        EventId, OpenSession, Pause, PauseError, PlayRules, PlaybackRate, ViewWindow, Viewer,
    },
    videos::{AdId, AdInterval, AdSchedule, Video, VideoId},
};
use balance_store::{
    operations::Actor,
    playback::{Command, IntakeAnswer, IntakeRequest, RulesChange, VideoFacts},
};
use balance_test_support::settlement::{MICROS, TestEnv};
use proptest::{prelude::*, test_runner::TestRunner};
use std::collections::BTreeMap;

const VIDEOS: i64 = 40;
/// The length of a video, in seconds: some are short.
const fn length_s(video: i64) -> i64 {
    if video % 3 == 0 { 40 } else { 20_000 }
}
/// Sequences on the database; 2,000 take minutes.
const CASES: u32 = 100;

/// A request for a video, and the microseconds since the last one.
#[derive(Debug, Clone, Copy)]
struct Step {
    after_micros: i64,
    video: i64,
    command: Command,
}

fn step() -> impl Strategy<Value = Step> {
    let after_micros = prop_oneof![
        4 => 0..2 * MICROS,
        4 => 0..400 * MICROS,
        1 => 0..20_000 * MICROS,
    ];
    let video = prop_oneof![5 => 1_i64..4, 1 => 1_i64..=VIDEOS];
    let command = prop_oneof![
        2 => Just(Command::Play),
        3 => (0_i64..900).prop_map(|current_s| Command::Pause { current_s }),
        2 => (0_i64..=20_000).prop_map(|current_s| Command::Pause { current_s }),
    ];
    (after_micros, video, command).prop_map(|(after_micros, video, command)| Step {
        after_micros,
        video,
        command: match command {
            Command::Pause { current_s } => Command::Pause {
                current_s: current_s.min(length_s(video)),
            },
            Command::Play => Command::Play,
        },
    })
}

fn rules() -> impl Strategy<Value = PlayRules> {
    let rate = prop_oneof![4 => Just(2_000), 1 => Just(0), 3 => 1_u32..20_000];
    let numbers = (0_u32..60, 1_u32..20_000, 1_u32..600, 1_u32..120, 1_u32..80);
    let watch = prop_oneof![2 => Just(0), 1 => 1_u32..120];
    let window = prop_oneof![2 => Just(0), 1 => 1_u32..600];
    (rate, numbers, watch, window).prop_map(|(rate, numbers, min_watch_s, view_window_s)| {
        let (burst, unconfirmed, interval, views, view_burst) = numbers;
        PlayRules {
            view_window_s,
            ad_interval_s: interval,
            playback_rate: PlaybackRate(rate),
            credit_burst_s: burst,
            max_unconfirmed_s: unconfirmed,
            min_watch_s,
            views_per_minute: views,
            view_burst,
            ..PlayRules::DEFAULT
        }
    })
}

/// The intake by the domain, for one viewer.
#[derive(Default)]
struct Model {
    viewer: Viewer,
    positions: BTreeMap<i64, i64>,
    window_ends: BTreeMap<i64, i64>,
    /// Video, counted, credited and reported seconds.
    history: Vec<String>,
    /// Video, slot and ad.
    ads: Vec<String>,
    suppressed: BTreeMap<&'static str, i64>,
}

impl Model {
    fn accept(&mut self, step: Step, is_own: bool, rules: &PlayRules, now: i64) -> IntakeAnswer {
        match step.command {
            Command::Play => self.play(step.video, is_own, rules, now),
            Command::Pause { current_s } => self.pause(step.video, current_s, is_own, rules, now),
        }
    }

    fn suppress(&mut self, reason: &'static str, count: i64) {
        if count > 0 {
            *self.suppressed.entry(reason).or_default() += count;
        }
    }

    fn play(&mut self, video: i64, is_own: bool, rules: &PlayRules, now: i64) -> IntakeAnswer {
        let end = self.window_ends.get(&video).filter(|end| **end > now);
        if let Some(end) = end.filter(|_| !is_own) {
            let retry_after_ms = ViewWindow::retry_after_ms(*end, now);
            self.suppress("repeat", 1);
            return IntakeAnswer::Repeat { retry_after_ms };
        }
        let mut viewer = self.viewer.clone();
        viewer.advance(now);
        let opened = match viewer.play(VideoId(video), is_own, rules) {
            Ok(opened) => opened,
            Err(limit) => {
                self.suppress("rate", 1);
                return IntakeAnswer::TooManyViews {
                    retry_after_ms: limit.retry_after_ms(),
                };
            }
        };
        self.viewer = viewer;
        if is_own {
            self.suppress("own", 1);
        } else {
            let window = ViewWindow::from_seconds(rules.view_window_s);
            self.window_ends.insert(video, window.end_micros(now));
        }
        let is_counted = opened.is_counted;
        if opened.is_recorded {
            self.history
                .push(format!("{video}|{}|0|0", u8::from(is_counted)));
        }
        IntakeAnswer::Playing {
            resume_at_s: *self.positions.entry(video).or_default(),
            is_counted,
        }
    }

    fn pause(
        &mut self,
        video: i64,
        current_s: i64,
        is_own: bool,
        rules: &PlayRules,
        now: i64,
    ) -> IntakeAnswer {
        let Some(position_s) = self.positions.get(&video).copied() else {
            return IntakeAnswer::NoSession;
        };
        let mut viewer = self.viewer.clone();
        viewer.advance(now);
        let pause = Pause {
            video_id: VideoId(video),
            position_s,
            current_s,
            duration_s: length_s(video),
            is_own,
            has_ads: true,
        };
        let credit = match viewer.pause(&pause, rules) {
            Ok(credit) => credit,
            Err(PauseError::NoSession) => return IntakeAnswer::NoSession,
            Err(PauseError::TooMany(limit)) => {
                return IntakeAnswer::TooManyPauses {
                    retry_after_ms: limit.retry_after_ms(),
                };
            }
        };
        self.viewer = viewer;
        let next_s = if credit.is_finished { 0 } else { current_s };
        self.positions.insert(video, next_s);
        self.suppress("capped", credit.capped_s);
        self.suppress("ad_capped", credit.capped_ad_views);
        if credit.is_recorded {
            let (counted, credited_s) = (u8::from(credit.is_counted), credit.credited_s);
            let reported_s = credited_s + credit.capped_s;
            self.history
                .push(format!("{video}|{counted}|{credited_s}|{reported_s}"));
        }
        let interval = AdInterval::from_seconds(rules.ad_interval_s);
        let schedule = AdSchedule::new(interval, vec![AdId(1), AdId(2)]);
        let slots = schedule.shown(position_s, position_s + credit.credited_s);
        let shown = usize::try_from(credit.ad_views).unwrap();
        for slot in slots.take(shown) {
            self.ads
                .push(format!("{video}|{}|{}", slot.slot_s, slot.ad_id));
        }
        IntakeAnswer::Paused {
            credited_s: credit.credited_s,
            is_finished: credit.is_finished,
        }
    }
}

/// Returns the stored budgets of a user, in the form of [`stored`].
async fn found(env: &TestEnv, user: i64) -> Vec<String> {
    env.rows(&format!(
        "SELECT last_micros, credit_tat_micros, view_tat_micros, COALESCE(ad_stock_s, -1), \
         open_sessions FROM viewer_budget WHERE user_id = {user}"
    ))
    .await
}

/// Returns the row of a viewer; none of a viewer without an accepted request.
fn stored(viewer: &Viewer) -> Vec<String> {
    if *viewer == Viewer::default() {
        return Vec::new();
    }
    vec![format!(
        "{}|{}|{}|{}|{}",
        viewer.last_micros,
        viewer.credit_tat_micros,
        viewer.view_tat_micros,
        viewer.ad_stock_s.unwrap_or(-1),
        OpenSession::to_text(&viewer.open)
    )]
}

/// Runs a sequence of a user's requests on the database and by the domain.
async fn run(env: &TestEnv, user: i64, rules: PlayRules, steps: &[Step]) {
    let change = RulesChange::from(rules);
    let set = env.store.set_play_rules(&change, &Actor::Console).await;
    set.unwrap();
    let mut model = Model::default();
    for step in steps {
        env.clock.advance(step.after_micros);
        let request = IntakeRequest {
            event_id: EventId::new(env.clock.now_micros(), rand::random()),
            user_id: UserId(user),
            video: VideoFacts {
                id: VideoId(step.video),
                owner_id: UserId(OWNER),
                duration_s: length_s(step.video),
            },
            is_new_account: None,
            command: step.command,
            key: None,
        };
        let answers = env.store.accept(&[request], &LIFETIMES, env.timezone).await;
        let answer = answers.unwrap().remove(0);
        let now = env.clock.now_micros();
        let expected = model.accept(*step, user == OWNER, &rules, now);
        assert_eq!(answer, expected, "{step:?}");
        assert_eq!(found(env, user).await, stored(&model.viewer), "{step:?}");
    }
    let of = |columns: &str, table: &str| {
        format!("SELECT {columns} FROM {table} WHERE user_id = {user}")
    };
    let sorted = |mut rows: Vec<String>| {
        rows.sort();
        rows
    };
    let history = of(
        "video_id, counted, play_time, reported_time",
        "play_history",
    );
    assert_eq!(sorted(env.rows(&history).await), sorted(model.history));
    let mut ads = sorted(model.ads);
    // A slot of a video counts once a day. The sequence can last several days.
    let shown = of("video_id, slot_s, ad_id", "ad_history");
    let mut shown = sorted(env.rows(&shown).await);
    ads.dedup();
    shown.dedup();
    assert_eq!(shown, ads);
    let positions = env.rows(&of("video_id, position_s", "watch_session")).await;
    let expected = model.positions.iter();
    let expected = expected.map(|(video, position_s)| format!("{video}|{position_s}"));
    assert_eq!(sorted(positions), sorted(expected.collect()));
    let counts = "SELECT reason, SUM(count) FROM refusal_count GROUP BY reason ORDER BY reason";
    let expected = model.suppressed.iter();
    let expected: Vec<_> = expected
        .map(|(reason, n)| format!("{reason}|{n}"))
        .collect();
    assert_eq!(env.rows(counts).await, expected);
    let tables = [
        "play_history",
        "ad_history",
        "watch_session",
        "viewer_budget",
    ];
    for table in tables.into_iter().chain(["view_gate", "refusal_count"]) {
        env.execute(&format!("DELETE FROM {table}")).await;
    }
}

async fn with_videos() -> TestEnv {
    let env = TestEnv::new().await;
    let owner = User {
        id: UserId(OWNER),
        username: "owner".to_owned(),
    };
    let videos: Vec<Video> = (1..=VIDEOS)
        .map(|id| Video {
            id: VideoId(id),
            owner_id: UserId(OWNER),
            title: "video".to_owned(),
            duration_s: length_s(id),
        })
        .collect();
    env.store.register(&[owner], &videos).await.unwrap();
    for id in [1, 2] {
        env.execute(&format!(
            "INSERT INTO ad (id, title, created_at) VALUES ({id}, 'ad', '2024-01-01')"
        ))
        .await;
    }
    env
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_intake_and_the_domain_agree() {
    let env = with_videos().await;
    let default = ProptestConfig::default();
    let cases = if default.cases > 256 {
        default.cases
    } else {
        CASES
    };
    let mut runner = TestRunner::new(ProptestConfig { cases, ..default });
    let user = prop_oneof![6 => Just(1_i64), 1 => Just(OWNER)];
    let steps = prop::collection::vec(step(), 1..40);
    let runtime = tokio::runtime::Handle::current();
    let result = tokio::task::block_in_place(|| {
        runner.run(&(user, rules(), steps), |(user, rules, steps)| {
            runtime.block_on(run(&env, user, rules, &steps));
            Ok(())
        })
    });
    result.unwrap();
}
