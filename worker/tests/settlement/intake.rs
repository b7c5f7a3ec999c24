//! The intake on a database, with a clock that stands where it is put: what it answers, what it
//! writes down, and what is settled of it.

use crate::world::{MICROS, Shape, World, at, date};
use balance_batch::status::BatchStatus;
use balance_domain::{
    accounts::{User, UserId},
    clock::Clock,
    playback::{EventId, PlaybackRate},
    videos::{Video, VideoId},
};
use balance_store::playback::{
    Act, IdempotencyKey, IntakeAnswer, IntakeRequest, IntakeRules, VideoFacts,
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

fn request(user: i64, act: Act, key: Option<&str>) -> IntakeRequest {
    IntakeRequest {
        event_id: EventId(rand::random()),
        user_id: UserId(user),
        video: VIDEO,
        act,
        key: key.map(|key| IdempotencyKey::parse(key).unwrap()),
    }
}

impl World {
    /// A world with one video of 1,000 seconds, user 9's, and two ads.
    async fn with_video() -> Self {
        let world = Self::new().await;
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
        world.store.register(&[owner], &[video]).await.unwrap();
        for id in [1, 2] {
            world
                .sql(&format!(
                    "INSERT INTO ad (id, title, created_at) VALUES ({id}, 'ad', '2024-01-01')"
                ))
                .await;
        }
        world
    }

    async fn take_in(&self, request: IntakeRequest) -> IntakeAnswer {
        let answers = self.store.take_in(&[request], &RULES, self.timezone).await;
        answers.unwrap().remove(0)
    }

    async fn play(&self, user: i64) -> IntakeAnswer {
        self.take_in(request(user, Act::Play, None)).await
    }

    async fn pause(&self, user: i64, current_s: i64) -> IntakeAnswer {
        self.take_in(request(user, Act::Pause { current_s }, None))
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
    let world = World::with_video().await;
    assert_eq!(world.play(1).await, playing(0, true));
    world.later(120);
    assert_eq!(world.pause(1, 120).await, paused(120, false));
    assert_eq!(world.play(1).await, playing(120, true));
    world.later(29);
    assert_eq!(world.play(1).await, repeat(1_000));
    world.later(1);
    assert_eq!(world.play(1).await, playing(120, true), "30 s later");
    assert_eq!(
        world.history().await,
        ["1|1|0|0", "1|1|0|0", "1|0|120|120", "1|1|0|0"]
    );
    let refused = world.rows("SELECT video_id, reason, count FROM refusal_count");
    assert_eq!(refused.await, ["1|repeat|1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_leaves_the_session_as_it_is() {
    let world = World::with_video().await;
    world.play(1).await;
    world.later(10);
    assert_eq!(world.play(1).await, repeat(20_000));
    world.later(10);
    // Since the first play: 20 s at twice the speed, and 5 of grace.
    assert_eq!(world.pause(1, 100).await, paused(45, false));
    assert_eq!(world.pause(1, 100).await, paused(0, false), "again");
    assert_eq!(world.pause(2, 100).await, NO_SESSION);
    let refused = world.rows("SELECT reason, count FROM refusal_count ORDER BY reason");
    assert_eq!(refused.await, ["capped|55", "repeat|1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_counts_for_nothing_and_the_position_moves() {
    let world = World::with_video().await;
    assert_eq!(world.play(OWNER).await, playing(0, false));
    assert_eq!(world.play(OWNER).await, playing(0, false), "no window");
    world.later(700);
    assert_eq!(world.pause(OWNER, 650).await, paused(0, false));
    assert_eq!(world.play(OWNER).await, playing(650, false));
    assert_eq!(world.rows("SELECT * FROM ad_history").await, [""; 0]);
    assert_eq!(world.history().await.last().unwrap(), "9|0|0|0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_closes_the_session_and_the_next_play_begins_anew() {
    let world = World::with_video().await;
    world.play(1).await;
    world.later(2_000);
    assert_eq!(world.pause(1, 1_000).await, paused(1_000, true));
    assert_eq!(world.pause(1, 10).await, NO_SESSION);
    assert_eq!(world.play(1).await, playing(0, true));
    // Positions live 30 days.
    world.later(100);
    world.pause(1, 77).await;
    world.later(30 * 86_400 - 1);
    assert_eq!(world.play(1).await, playing(77, true));
    world.later(30 * 86_400);
    assert_eq!(world.play(1).await, playing(0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_show_ads_once_a_day() {
    let world = World::with_video().await;
    let shown = async || {
        world
            .rows("SELECT user_id, slot_s, ad_id FROM ad_history ORDER BY date, user_id, slot_s")
            .await
    };
    world.play(1).await;
    world.later(1_000);
    world.pause(1, 650).await;
    assert_eq!(shown().await, ["1|300|1", "1|600|2"], "two slots in one");
    // Back, and past the first once more.
    world.pause(1, 200).await;
    world.later(200);
    world.pause(1, 400).await;
    assert_eq!(shown().await.len(), 2, "the same slot twice in a day");
    // Capped before the slot: not seen.
    world.play(2).await;
    world.later(100);
    assert_eq!(world.pause(2, 900).await, paused(205, false));
    assert_eq!(shown().await.len(), 2);
    // The next day it counts again.
    world.later(86_400);
    world.pause(1, 200).await;
    world.later(200);
    world.pause(1, 400).await;
    assert_eq!(shown().await, ["1|300|1", "1|600|2", "1|300|1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_request_is_done_once_and_answered_as_at_first() {
    let world = World::with_video().await;
    let play = |key| request(1, Act::Play, Some(key));
    let pause = |current_s, key| request(1, Act::Pause { current_s }, Some(key));
    assert_eq!(world.take_in(play("a")).await, playing(0, true));
    world.later(60);
    assert_eq!(world.take_in(play("a")).await, playing(0, true), "again");
    assert_eq!(world.take_in(pause(50, "b")).await, paused(50, false));
    assert_eq!(world.take_in(pause(50, "b")).await, paused(50, false));
    for reused in [play("b"), pause(51, "b"), pause(50, "a")] {
        assert_eq!(world.take_in(reused).await, IntakeAnswer::KeyReused);
    }
    let mut of_another = request(2, Act::Play, Some("a"));
    assert_eq!(world.take_in(of_another.clone()).await, playing(0, true));
    // Twice in one group.
    of_another.key = IdempotencyKey::parse("c");
    of_another.user_id = UserId(3);
    of_another.event_id = EventId(rand::random());
    let twice = [of_another.clone(), of_another];
    let answers = world.store.take_in(&twice, &RULES, world.timezone).await;
    assert_eq!(answers.unwrap(), [playing(0, true), playing(0, true)]);
    assert_eq!(world.history().await.len(), 4);
    // A refusal is not kept: the same name may try again.
    world.take_in(play("d")).await;
    assert_eq!(world.take_in(play("e")).await, repeat(30_000));
    world.later(30);
    assert_eq!(world.take_in(play("e")).await, playing(50, true));
    world.later(86_400);
    assert_eq!(
        world.take_in(play("b")).await,
        playing(50, true),
        "forgotten"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_never_goes_back_and_never_into_a_closed_day() {
    let world = World::with_video().await;
    let noon = at("2024-06-30T12:00:00Z");
    world.play(1).await;
    world.clock.set(noon - 3_600 * MICROS);
    world.play(2).await;
    assert_eq!(world.pause(2, 5).await, paused(5, false));
    let times = "SELECT DISTINCT occurred_at_micros FROM play_history";
    assert_eq!(world.rows(times).await, [noon.to_string()]);

    // The day closes, and the clock is set back into it.
    let day = date("2024-06-30");
    let midnight = at("2024-06-30T15:00:00Z");
    world.clock.set(midnight);
    world.store.close_day(day).await.unwrap();
    world.clock.set(noon);
    world.play(3).await;
    let of_3 = "SELECT date, occurred_at_micros FROM play_history WHERE user_id = 3";
    assert_eq!(
        world.rows(of_3).await,
        [format!("2024-07-01|{midnight}")],
        "the first instant that is open"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_in_is_settled() {
    let world = World::with_video().await;
    for user in 11..=30 {
        world.play(user).await;
    }
    let gates = "SELECT COUNT(*) FROM view_gate";
    assert_eq!(world.rows(gates).await, ["20"]);
    world.later(400);
    for user in 11..=20 {
        assert_eq!(world.pause(user, 310).await, paused(310, false));
    }
    world.play(OWNER).await;
    world.clock.set(at("2024-06-30T15:00:00Z"));
    let settled = world.settle(date("2024-06-30"), Shape::default()).await;
    assert_eq!(settled.unwrap().status, BatchStatus::Completed);
    let statistics = world
        .rows("SELECT video_id, view_count, total_play_time, ad_view_count FROM video_statistics");
    assert_eq!(statistics.await, ["1|20|3100|10"]);
    let revenue = world.rows("SELECT total_revenue FROM video_revenue");
    assert_eq!(revenue.await, ["12000"], "20 won of views, 100 of ads");
    assert_eq!(world.rows(gates).await, ["0"], "swept");
}
