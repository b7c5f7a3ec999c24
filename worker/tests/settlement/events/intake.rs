//! The intake on a database: its replies, the events that it persists, and their settlement.

use balance_batch::status::BatchStatus;
use balance_domain::{
    accounts::{User, UserId},
    clock::Clock,
    playback::EventId,
    videos::{Video, VideoId},
};
use balance_service::playback::{EmbeddedIntake, Playback, ViewerAccount};
use balance_store::playback::{
    Command, IdempotencyKey, IntakeAnswer, IntakeRequest, Lifetimes, VideoFacts,
};
use balance_test_support::{
    TestClock,
    settlement::{MICROS, Shape, TestEnv, at, date},
};
use std::sync::Arc;

pub(crate) const LIFETIMES: Lifetimes = Lifetimes {
    resume_ttl_s: 30 * 86_400,
    replay_s: 86_400,
};
pub(crate) const OWNER: i64 = 9;
pub(crate) const VIDEO: VideoFacts = VideoFacts {
    id: VideoId(1),
    owner_id: UserId(OWNER),
    duration_s: 1_000,
};
const NO_SESSION: IntakeAnswer = IntakeAnswer::NoSession;

pub(crate) fn playing(resume_at_s: i64, is_counted: bool) -> IntakeAnswer {
    IntakeAnswer::Playing {
        resume_at_s,
        is_counted,
    }
}

pub(crate) fn paused(credited_s: i64, is_finished: bool) -> IntakeAnswer {
    IntakeAnswer::Paused {
        credited_s,
        is_finished,
    }
}

pub(crate) fn repeat(retry_after_ms: i64) -> IntakeAnswer {
    IntakeAnswer::Repeat { retry_after_ms }
}

pub(crate) fn request(user: i64, command: Command, key: Option<&str>) -> IntakeRequest {
    IntakeRequest {
        is_new_account: None,
        event_id: EventId::new(at("2024-06-30T12:00:00Z"), rand::random()),
        user_id: UserId(user),
        video: VIDEO,
        command,
        key: key.map(|key| IdempotencyKey::parse(key).unwrap()),
    }
}

/// Creates an environment with one video of 1,000 seconds, owned by user 9, and two ads.
pub(crate) async fn with_video() -> TestEnv {
    let env = TestEnv::new().await;
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
        env.execute(&format!(
            "INSERT INTO ad (id, title, created_at) VALUES ({id}, 'ad', '2024-01-01')"
        ))
        .await;
    }
    env
}

pub(crate) async fn accept(env: &TestEnv, request: IntakeRequest) -> IntakeAnswer {
    let answers = env.store.accept(&[request], &LIFETIMES, env.timezone).await;
    answers.unwrap().remove(0)
}

pub(crate) async fn play(env: &TestEnv, user: i64) -> IntakeAnswer {
    accept(env, request(user, Command::Play, None)).await
}

pub(crate) async fn pause(env: &TestEnv, user: i64, current_s: i64) -> IntakeAnswer {
    accept(env, request(user, Command::Pause { current_s }, None)).await
}

fn later(env: &TestEnv, seconds: i64) {
    env.clock.set(env.clock.now_micros() + seconds * MICROS);
}

/// Returns the history: user, counted, credited and reported seconds.
async fn history(env: &TestEnv) -> Vec<String> {
    env.rows(
        "SELECT user_id, counted, play_time, reported_time FROM play_history \
         ORDER BY occurred_at_micros, user_id, counted DESC",
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_original_example() {
    let env = with_video().await;
    assert_eq!(play(&env, 1).await, playing(0, true));
    later(&env, 120);
    assert_eq!(pause(&env, 1, 120).await, paused(120, false));
    assert_eq!(play(&env, 1).await, playing(120, true));
    later(&env, 29);
    assert_eq!(play(&env, 1).await, repeat(1_000));
    later(&env, 1);
    assert_eq!(play(&env, 1).await, playing(120, true), "30 s later");
    assert_eq!(
        history(&env).await,
        ["1|1|0|0", "1|1|0|0", "1|0|120|120", "1|1|0|0"]
    );
    let suppressed = env.rows("SELECT video_id, reason, count FROM refusal_count");
    assert_eq!(suppressed.await, ["1|repeat|1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_leaves_the_session_as_it_is() {
    let env = with_video().await;
    play(&env, 1).await;
    later(&env, 10);
    assert_eq!(play(&env, 1).await, repeat(20_000));
    later(&env, 10);
    // 20 s since the first play, at twice the speed, and 5 s of grace.
    assert_eq!(pause(&env, 1, 100).await, paused(45, false));
    assert_eq!(pause(&env, 1, 100).await, paused(0, false), "again");
    assert_eq!(pause(&env, 2, 100).await, NO_SESSION);
    let suppressed = env.rows("SELECT reason, count FROM refusal_count ORDER BY reason");
    assert_eq!(suppressed.await, ["capped|55", "repeat|1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_counts_for_nothing_and_the_position_moves() {
    let env = with_video().await;
    assert_eq!(play(&env, OWNER).await, playing(0, false));
    assert_eq!(play(&env, OWNER).await, playing(0, false), "no window");
    later(&env, 700);
    assert_eq!(pause(&env, OWNER, 650).await, paused(0, false));
    assert_eq!(play(&env, OWNER).await, playing(650, false));
    assert_eq!(env.rows("SELECT * FROM ad_history").await, [""; 0]);
    assert_eq!(history(&env).await.last().unwrap(), "9|0|0|0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_closes_the_session_and_the_next_play_begins_anew() {
    let env = with_video().await;
    play(&env, 1).await;
    later(&env, 2_000);
    assert_eq!(pause(&env, 1, 1_000).await, paused(1_000, true));
    assert_eq!(pause(&env, 1, 10).await, NO_SESSION);
    assert_eq!(play(&env, 1).await, playing(0, true));
    // Positions expire after 30 days.
    later(&env, 100);
    pause(&env, 1, 77).await;
    later(&env, 30 * 86_400 - 1);
    assert_eq!(play(&env, 1).await, playing(77, true));
    later(&env, 30 * 86_400);
    assert_eq!(play(&env, 1).await, playing(0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_show_ads_once_a_day() {
    let env = with_video().await;
    let shown = async || {
        env.rows("SELECT user_id, slot_s, ad_id FROM ad_history ORDER BY date, user_id, slot_s")
            .await
    };
    play(&env, 1).await;
    later(&env, 1_000);
    pause(&env, 1, 650).await;
    assert_eq!(shown().await, ["1|300|1", "1|600|2"], "two slots in one");
    // Back, and past the first slot again.
    pause(&env, 1, 200).await;
    later(&env, 200);
    pause(&env, 1, 400).await;
    assert_eq!(shown().await.len(), 2, "the same slot twice in a day");
    // The credited seconds end before the slot, so no ad is shown.
    play(&env, 2).await;
    later(&env, 100);
    assert_eq!(pause(&env, 2, 900).await, paused(205, false));
    assert_eq!(shown().await.len(), 2);
    // The next day it counts again.
    later(&env, 86_400);
    pause(&env, 1, 200).await;
    later(&env, 200);
    pause(&env, 1, 400).await;
    assert_eq!(shown().await, ["1|300|1", "1|600|2", "1|300|1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_key_is_done_once_and_has_the_first_reply() {
    let env = with_video().await;
    let play = |key| request(1, Command::Play, Some(key));
    let pause = |current_s, key| request(1, Command::Pause { current_s }, Some(key));
    assert_eq!(accept(&env, play("a")).await, playing(0, true));
    later(&env, 60);
    assert_eq!(accept(&env, play("a")).await, playing(0, true), "again");
    assert_eq!(accept(&env, pause(50, "b")).await, paused(50, false));
    assert_eq!(accept(&env, pause(50, "b")).await, paused(50, false));
    for reused in [play("b"), pause(51, "b"), pause(50, "a")] {
        assert_eq!(accept(&env, reused).await, IntakeAnswer::KeyReused);
    }
    let mut of_another = request(2, Command::Play, Some("a"));
    assert_eq!(accept(&env, of_another.clone()).await, playing(0, true));
    // Twice in one group of requests.
    of_another.key = IdempotencyKey::parse("c");
    of_another.user_id = UserId(3);
    of_another.event_id = EventId(rand::random());
    let twice = [of_another.clone(), of_another];
    let answers = env.store.accept(&twice, &LIFETIMES, env.timezone).await;
    assert_eq!(answers.unwrap(), [playing(0, true), playing(0, true)]);
    assert_eq!(history(&env).await.len(), 4);
    // A rejection is not stored: a request with the same key is decided again.
    accept(&env, play("d")).await;
    assert_eq!(accept(&env, play("e")).await, repeat(30_000));
    later(&env, 30);
    assert_eq!(accept(&env, play("e")).await, playing(50, true));
    later(&env, 86_400);
    assert_eq!(accept(&env, play("b")).await, playing(50, true), "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_never_goes_back_and_never_into_a_closed_day() {
    let env = with_video().await;
    let noon = at("2024-06-30T12:00:00Z");
    play(&env, 1).await;
    env.clock.set(noon - 240 * MICROS);
    play(&env, 2).await;
    assert_eq!(pause(&env, 2, 5).await, paused(5, false));
    let times = "SELECT DISTINCT occurred_at_micros FROM play_history";
    assert_eq!(env.rows(times).await, [noon.to_string()]);

    // The day is closed, and then the clock is set back into it.
    let day = date("2024-06-30");
    let midnight = at("2024-06-30T15:00:00Z");
    env.clock.set(midnight);
    env.store.close_day(day).await.unwrap();
    env.clock.set(midnight - 240 * MICROS);
    play(&env, 3).await;
    let of_3 = "SELECT date, occurred_at_micros FROM play_history WHERE user_id = 3";
    assert_eq!(
        env.rows(of_3).await,
        [format!("2024-07-01|{midnight}")],
        "the first instant that is open"
    );
}

#[tokio::test(flavor = "multi_thread")]
pub(crate) async fn accepted_events_are_settled() {
    let env = with_video().await;
    for user in 11..=30 {
        play(&env, user).await;
    }
    let gates = "SELECT COUNT(*) FROM view_gate";
    assert_eq!(env.rows(gates).await, ["20"]);
    later(&env, 400);
    for user in 11..=20 {
        assert_eq!(pause(&env, user, 310).await, paused(310, false));
    }
    play(&env, OWNER).await;
    env.clock.set(at("2024-06-30T15:00:00Z"));
    let settled = env.settle(date("2024-06-30"), Shape::default()).await;
    assert_eq!(settled.unwrap().status, BatchStatus::Completed);
    let statistics = env
        .rows("SELECT video_id, view_count, total_play_time, ad_view_count FROM video_statistics");
    assert_eq!(statistics.await, ["1|20|3100|10"]);
    let revenue = env.rows("SELECT total_revenue FROM video_revenue");
    assert_eq!(revenue.await, ["12000"], "20 won of views, 100 of ads");
    assert_eq!(env.rows(gates).await, ["0"], "pruned");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_have_the_age_of_the_account_at_their_time() {
    let env = with_video().await;
    let intake = EmbeddedIntake::start(Arc::clone(&env.store), LIFETIMES, env.timezone);
    let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(&env.clock);
    let playback = Playback::new(Arc::new(intake), Arc::clone(&env.store), clock);
    let joined_s = env.clock.now_micros() / MICROS;
    let play = async |user, joined_s| {
        let viewer = ViewerAccount {
            user_id: UserId(user),
            joined_s,
        };
        let answer = playback.play(viewer, VIDEO.id, None).await.unwrap();
        assert_eq!(answer, playing(0, true));
    };
    play(1, Some(joined_s)).await;
    later(&env, 7 * 86_400 - 1);
    play(2, Some(joined_s)).await;
    later(&env, 1);
    play(3, Some(joined_s)).await;
    // A token of an earlier version.
    play(4, None).await;
    // The clock of another process is ahead.
    play(5, Some(i64::MAX)).await;
    let ages = "SELECT user_id, new_account FROM play_history ORDER BY user_id";
    assert_eq!(env.rows(ages).await, ["1|1", "2|1", "3|0", "4|NULL", "5|1"]);
}
