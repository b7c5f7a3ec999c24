//! The intake on a database, with a clock that stands where it is put: what it answers, what it
//! writes down, and what is settled of it.

use crate::env::{MICROS, Shape, TestEnv, at, date};
use balance_batch::status::BatchStatus;
use balance_domain::{
    accounts::{User, UserId},
    clock::Clock,
    playback::{EventId, PlaybackRate},
    videos::{Video, VideoId},
};
use balance_store::playback::{
    Command, IdempotencyKey, IntakeAnswer, IntakeRequest, IntakeRules, VideoFacts,
};

const RULES: IntakeRules = IntakeRules {
    view_window_s: 30,
    playback_rate: PlaybackRate(2_000),
    resume_ttl_s: 30 * 86_400,
    replay_s: 86_400,
    ad_interval_s: 300,
};
const OWNER: i64 = 9;
const VIDEO: VideoFacts = VideoFacts {
    id: VideoId(1),
    owner_id: UserId(OWNER),
    duration_s: 1_000,
};
const NO_SESSION: IntakeAnswer = IntakeAnswer::NoSession;

fn playing(resume_at_s: i64, is_counted: bool) -> IntakeAnswer {
    IntakeAnswer::Playing {
        resume_at_s,
        is_counted,
    }
}

fn paused(credited_s: i64, is_finished: bool) -> IntakeAnswer {
    IntakeAnswer::Paused {
        credited_s,
        is_finished,
    }
}

fn repeat(retry_after_ms: i64) -> IntakeAnswer {
    IntakeAnswer::Repeat { retry_after_ms }
}

fn request(user: i64, command: Command, key: Option<&str>) -> IntakeRequest {
    IntakeRequest {
        event_id: EventId(rand::random()),
        user_id: UserId(user),
        video: VIDEO,
        command,
        key: key.map(|key| IdempotencyKey::parse(key).unwrap()),
    }
}

impl TestEnv {
    /// A world with one video of 1,000 seconds, user 9's, and two ads.
    async fn with_video() -> Self {
        let env = Self::new().await;
        let owner = User {
            id: UserId(OWNER),
            username: "owner".to_owned(),
        };
        let video = Video {
            id: VIDEO.id,
            owner_id: VIDEO.owner_id,
            title: "video".to_owned(),
            duration_s: VIDEO.duration_s,
        };
        env.store.register(&[owner], &[video]).await.unwrap();
        for id in [1, 2] {
            env.sql(&format!(
                "INSERT INTO ad (id, title, created_at) VALUES ({id}, 'ad', '2024-01-01')"
            ))
            .await;
        }
        env
    }

    async fn accept(&self, request: IntakeRequest) -> IntakeAnswer {
        let answers = self.store.accept(&[request], &RULES, self.timezone).await;
        answers.unwrap().remove(0)
    }

    async fn play(&self, user: i64) -> IntakeAnswer {
        self.accept(request(user, Command::Play, None)).await
    }

    async fn pause(&self, user: i64, current_s: i64) -> IntakeAnswer {
        self.accept(request(user, Command::Pause { current_s }, None))
            .await
    }

    fn later(&self, seconds: i64) {
        self.clock.set(self.clock.now_micros() + seconds * MICROS);
    }

    /// The history: user, counted, credited and reported seconds.
    async fn history(&self) -> Vec<String> {
        self.rows(
            "SELECT user_id, counted, play_time, reported_time FROM play_history \
             ORDER BY occurred_at_micros, user_id, counted DESC",
        )
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_originals_example() {
    let env = TestEnv::with_video().await;
    assert_eq!(env.play(1).await, playing(0, true));
    env.later(120);
    assert_eq!(env.pause(1, 120).await, paused(120, false));
    assert_eq!(env.play(1).await, playing(120, true));
    env.later(29);
    assert_eq!(env.play(1).await, repeat(1_000));
    env.later(1);
    assert_eq!(env.play(1).await, playing(120, true), "30 s later");
    assert_eq!(
        env.history().await,
        ["1|1|0|0", "1|1|0|0", "1|0|120|120", "1|1|0|0"]
    );
    let refused = env.rows("SELECT video_id, reason, count FROM refusal_count");
    assert_eq!(refused.await, ["1|repeat|1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_leaves_the_session_as_it_is() {
    let env = TestEnv::with_video().await;
    env.play(1).await;
    env.later(10);
    assert_eq!(env.play(1).await, repeat(20_000));
    env.later(10);
    // Since the first play: 20 s at twice the speed, and 5 of grace.
    assert_eq!(env.pause(1, 100).await, paused(45, false));
    assert_eq!(env.pause(1, 100).await, paused(0, false), "again");
    assert_eq!(env.pause(2, 100).await, NO_SESSION);
    let refused = env.rows("SELECT reason, count FROM refusal_count ORDER BY reason");
    assert_eq!(refused.await, ["capped|55", "repeat|1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_counts_for_nothing_and_the_position_moves() {
    let env = TestEnv::with_video().await;
    assert_eq!(env.play(OWNER).await, playing(0, false));
    assert_eq!(env.play(OWNER).await, playing(0, false), "no window");
    env.later(700);
    assert_eq!(env.pause(OWNER, 650).await, paused(0, false));
    assert_eq!(env.play(OWNER).await, playing(650, false));
    assert_eq!(env.rows("SELECT * FROM ad_history").await, [""; 0]);
    assert_eq!(env.history().await.last().unwrap(), "9|0|0|0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_closes_the_session_and_the_next_play_begins_anew() {
    let env = TestEnv::with_video().await;
    env.play(1).await;
    env.later(2_000);
    assert_eq!(env.pause(1, 1_000).await, paused(1_000, true));
    assert_eq!(env.pause(1, 10).await, NO_SESSION);
    assert_eq!(env.play(1).await, playing(0, true));
    // Positions live 30 days.
    env.later(100);
    env.pause(1, 77).await;
    env.later(30 * 86_400 - 1);
    assert_eq!(env.play(1).await, playing(77, true));
    env.later(30 * 86_400);
    assert_eq!(env.play(1).await, playing(0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_show_ads_once_a_day() {
    let env = TestEnv::with_video().await;
    let shown = async || {
        env.rows("SELECT user_id, slot_s, ad_id FROM ad_history ORDER BY date, user_id, slot_s")
            .await
    };
    env.play(1).await;
    env.later(1_000);
    env.pause(1, 650).await;
    assert_eq!(shown().await, ["1|300|1", "1|600|2"], "two slots in one");
    // Back, and past the first once more.
    env.pause(1, 200).await;
    env.later(200);
    env.pause(1, 400).await;
    assert_eq!(shown().await.len(), 2, "the same slot twice in a day");
    // Capped before the slot: not seen.
    env.play(2).await;
    env.later(100);
    assert_eq!(env.pause(2, 900).await, paused(205, false));
    assert_eq!(shown().await.len(), 2);
    // The next day it counts again.
    env.later(86_400);
    env.pause(1, 200).await;
    env.later(200);
    env.pause(1, 400).await;
    assert_eq!(shown().await, ["1|300|1", "1|600|2", "1|300|1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_request_is_done_once_and_answered_as_at_first() {
    let env = TestEnv::with_video().await;
    let play = |key| request(1, Command::Play, Some(key));
    let pause = |current_s, key| request(1, Command::Pause { current_s }, Some(key));
    assert_eq!(env.accept(play("a")).await, playing(0, true));
    env.later(60);
    assert_eq!(env.accept(play("a")).await, playing(0, true), "again");
    assert_eq!(env.accept(pause(50, "b")).await, paused(50, false));
    assert_eq!(env.accept(pause(50, "b")).await, paused(50, false));
    for reused in [play("b"), pause(51, "b"), pause(50, "a")] {
        assert_eq!(env.accept(reused).await, IntakeAnswer::KeyReused);
    }
    let mut of_another = request(2, Command::Play, Some("a"));
    assert_eq!(env.accept(of_another.clone()).await, playing(0, true));
    // Twice in one group.
    of_another.key = IdempotencyKey::parse("c");
    of_another.user_id = UserId(3);
    of_another.event_id = EventId(rand::random());
    let twice = [of_another.clone(), of_another];
    let answers = env.store.accept(&twice, &RULES, env.timezone).await;
    assert_eq!(answers.unwrap(), [playing(0, true), playing(0, true)]);
    assert_eq!(env.history().await.len(), 4);
    // A refusal is not kept: the same name may try again.
    env.accept(play("d")).await;
    assert_eq!(env.accept(play("e")).await, repeat(30_000));
    env.later(30);
    assert_eq!(env.accept(play("e")).await, playing(50, true));
    env.later(86_400);
    assert_eq!(env.accept(play("b")).await, playing(50, true), "forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_never_goes_back_and_never_into_a_closed_day() {
    let env = TestEnv::with_video().await;
    let noon = at("2024-06-30T12:00:00Z");
    env.play(1).await;
    env.clock.set(noon - 3_600 * MICROS);
    env.play(2).await;
    assert_eq!(env.pause(2, 5).await, paused(5, false));
    let times = "SELECT DISTINCT occurred_at_micros FROM play_history";
    assert_eq!(env.rows(times).await, [noon.to_string()]);

    // The day closes, and the clock is set back into it.
    let day = date("2024-06-30");
    let midnight = at("2024-06-30T15:00:00Z");
    env.clock.set(midnight);
    env.store.close_day(day).await.unwrap();
    env.clock.set(noon);
    env.play(3).await;
    let of_3 = "SELECT date, occurred_at_micros FROM play_history WHERE user_id = 3";
    assert_eq!(
        env.rows(of_3).await,
        [format!("2024-07-01|{midnight}")],
        "the first instant that is open"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_in_is_settled() {
    let env = TestEnv::with_video().await;
    for user in 11..=30 {
        env.play(user).await;
    }
    let gates = "SELECT COUNT(*) FROM view_gate";
    assert_eq!(env.rows(gates).await, ["20"]);
    env.later(400);
    for user in 11..=20 {
        assert_eq!(env.pause(user, 310).await, paused(310, false));
    }
    env.play(OWNER).await;
    env.clock.set(at("2024-06-30T15:00:00Z"));
    let settled = env.settle(date("2024-06-30"), Shape::default()).await;
    assert_eq!(settled.unwrap().status, BatchStatus::Completed);
    let statistics = env
        .rows("SELECT video_id, view_count, total_play_time, ad_view_count FROM video_statistics");
    assert_eq!(statistics.await, ["1|20|3100|10"]);
    let revenue = env.rows("SELECT total_revenue FROM video_revenue");
    assert_eq!(revenue.await, ["12000"], "20 won of views, 100 of ads");
    assert_eq!(env.rows(gates).await, ["0"], "swept");
}
