//! Plays and pauses: the examples of the original system, and further cases.

use crate::env::{TestEnv, TestRequest};
use serde_json::json;

const FROM_THE_BEGINNING: &str = "동영상을 처음부터 재생합니다.";
const FROM_120: &str = "동영상을 120초부터 이어서 재생합니다.";
const PAUSED: &str = "동영상 재생을 중단했습니다.";

/// Registers a video of ten minutes. Returns its ID, its owner's token, and a viewer's ID and token.
async fn video_and_viewer(env: &TestEnv) -> (i64, String, i64, String) {
    let (_, owner) = env.user("owner").await;
    let (viewer_id, viewer) = env.user("viewer").await;
    let video = env.video(&owner, "a film", 600).await;
    (video, owner, viewer_id, viewer)
}

#[tokio::test]
async fn the_original_examples() {
    let env = TestEnv::new().await;
    let (video, _, viewer_id, viewer) = video_and_viewer(&env).await;
    let play = format!("/videos/{video}/play?userId={viewer_id}");
    let answer = env.request("POST", &play, &viewer).await.is(200);
    assert_eq!(answer.json(), FROM_THE_BEGINNING);
    assert_eq!(answer.header("X-Resume-At"), Some("0"));
    assert_eq!(answer.header("X-View-Counted"), Some("true"));
    assert_eq!(answer.header("Content-Language"), Some("ko"));

    env.clock.advance_ms(10_000);
    let repeat = env.request("POST", &play, &viewer).await;
    repeat.is_problem(429, "repeated-view");
    assert_eq!(repeat.header("Retry-After"), Some("20"));

    env.clock.advance_ms(110_000);
    let pause = format!("/videos/{video}/pause?userId={viewer_id}&currentPlayedAt=120");
    let answer = env.request("POST", &pause, &viewer).await.is(200);
    assert_eq!(answer.json(), PAUSED);
    assert_eq!(answer.header("X-Credited-Seconds"), Some("120"));

    let answer = env.request("POST", &play, &viewer).await.is(200);
    assert_eq!(answer.json(), FROM_120);
    assert_eq!(answer.header("X-Resume-At"), Some("120"));
    let read = env
        .request("GET", &format!("/videos/{video}"), &viewer)
        .await
        .is(200);
    assert_eq!(read.json()["viewCount"], 2);
}

#[tokio::test]
async fn the_window_is_thirty_seconds_to_the_millisecond() {
    let env = TestEnv::new().await;
    let (video, _, _, viewer) = video_and_viewer(&env).await;
    let play = format!("/videos/{video}/play");
    env.request("POST", &play, &viewer).await.is(200);
    env.clock.advance_ms(29_999);
    let repeat = env.request("POST", &play, &viewer).await;
    repeat.is_problem(429, "repeated-view");
    assert_eq!(repeat.header("Retry-After"), Some("1"));
    env.clock.advance_ms(1);
    let again = env.request("POST", &play, &viewer).await.is(200);
    assert_eq!(again.header("X-View-Counted"), Some("true"));
}

#[tokio::test]
async fn an_owner_plays_without_a_window_and_earns_nothing() {
    let env = TestEnv::new().await;
    let (video, owner, _, _) = video_and_viewer(&env).await;
    for _ in 0..3 {
        let answer = env
            .request("POST", &format!("/videos/{video}/play"), &owner)
            .await
            .is(200);
        assert_eq!(answer.header("X-View-Counted"), Some("false"));
    }
    env.clock.advance_ms(60_000);
    let pause = format!("/videos/{video}/pause?currentPlayedAt=60");
    let answer = env.request("POST", &pause, &owner).await.is(200);
    assert_eq!(answer.header("X-Credited-Seconds"), Some("0"));
    let resumed = env
        .request("POST", &format!("/videos/{video}/play"), &owner)
        .await
        .is(200);
    assert_eq!(
        resumed.header("X-Resume-At"),
        Some("60"),
        "the position moves"
    );
    let read = env
        .request("GET", &format!("/videos/{video}"), &owner)
        .await
        .is(200);
    assert_eq!(read.json()["viewCount"], 0);
}

#[tokio::test]
async fn seeking_earns_nothing_beyond_the_clock_and_the_end_begins_anew() {
    let env = TestEnv::new().await;
    let (video, _, _, viewer) = video_and_viewer(&env).await;
    env.request("POST", &format!("/videos/{video}/play"), &viewer)
        .await
        .is(200);
    let pause = async |at: i64| {
        let path = format!("/videos/{video}/pause?currentPlayedAt={at}");
        let answer = env.request("POST", &path, &viewer).await.is(200);
        answer
            .header("X-Credited-Seconds")
            .unwrap()
            .parse::<i64>()
            .unwrap()
    };
    env.clock.advance_ms(10_000);
    assert_eq!(pause(500).await, 25, "twice the speed and five seconds");
    assert_eq!(pause(0).await, 0, "back");
    assert_eq!(pause(500).await, 0, "the five seconds are used once");
    env.clock.advance_ms(100_000);
    assert_eq!(pause(600).await, 100);
    let path = format!("/videos/{video}/pause?currentPlayedAt=600");
    env.request("POST", &path, &viewer)
        .await
        .is_problem(409, "no-open-session");
    let answer = env
        .request("POST", &format!("/videos/{video}/play"), &viewer)
        .await
        .is(200);
    assert_eq!(answer.json(), FROM_THE_BEGINNING);
}

#[tokio::test]
async fn messages_are_in_the_requested_language() {
    let env = TestEnv::new().await;
    let (video, _, _, viewer) = video_and_viewer(&env).await;
    let english = async |path: String| {
        let request = TestRequest::new("POST", &path)
            .token(&viewer)
            .header("Accept-Language", "en-GB,ko;q=0.5");
        let answer = env.send(request).await.is(200);
        assert_eq!(answer.header("Content-Language"), Some("en"));
        answer.json()
    };
    assert_eq!(
        english(format!("/videos/{video}/play")).await,
        "Playing the video from the beginning."
    );
    env.clock.advance_ms(120_000);
    let paused = english(format!("/videos/{video}/pause?currentPlayedAt=120")).await;
    assert_eq!(paused, "The video is paused.");
    assert_eq!(
        english(format!("/videos/{video}/play")).await,
        "Resuming the video at 120 s."
    );
}

#[tokio::test]
async fn a_request_with_a_key_has_the_first_response() {
    let env = TestEnv::new().await;
    let (video, _, _, viewer) = video_and_viewer(&env).await;
    let send = async |path: String, key: &str| {
        env.send(
            TestRequest::new("POST", &path)
                .token(&viewer)
                .header("Idempotency-Key", key),
        )
        .await
    };
    let play = format!("/videos/{video}/play");
    let first = send(play.clone(), "p-1").await.is(200);
    env.clock.advance_ms(5_000);
    let again = send(play.clone(), "p-1").await.is(200);
    assert_eq!(again.text, first.text);
    assert_eq!(again.header("X-View-Counted"), Some("true"));
    env.clock.advance_ms(55_000);
    let pause = |at: i64| format!("/videos/{video}/pause?currentPlayedAt={at}");
    send(pause(60), "p-1")
        .await
        .is_problem(409, "idempotency-key-reused");
    let first = send(pause(60), "w-1").await.is(200);
    assert_eq!(first.header("X-Credited-Seconds"), Some("60"));
    env.clock.advance_ms(60_000);
    let again = send(pause(60), "w-1").await.is(200);
    assert_eq!(again.header("X-Credited-Seconds"), Some("60"));
    send(pause(61), "w-1")
        .await
        .is_problem(409, "idempotency-key-reused");
    let read = env
        .request("GET", &format!("/videos/{video}"), &viewer)
        .await
        .is(200);
    assert_eq!(read.json()["viewCount"], 1, "counted once");
}

#[tokio::test]
async fn two_slots_in_one_pause_count_and_the_same_slot_once_a_day() {
    let env = TestEnv::new().await;
    let (video, _, _, viewer) = video_and_viewer(&env).await;
    let admin = env.admin("boss").await;
    for title in ["first ad", "second ad"] {
        let request = TestRequest::new("POST", "/ads")
            .token(&admin)
            .json(&json!({ "title": title }));
        env.send(request).await.is(201);
    }
    let ad_views = async || {
        let read = env
            .request("GET", &format!("/videos/{video}"), &viewer)
            .await
            .is(200);
        read.json()["adViewCount"].as_i64().unwrap()
    };
    for _ in 0..2 {
        env.request("POST", &format!("/videos/{video}/play"), &viewer)
            .await
            .is(200);
        // The playback is twice as fast.
        env.clock.advance_ms(298_000);
        let path = format!("/videos/{video}/pause?currentPlayedAt=600");
        env.request("POST", &path, &viewer).await.is(200);
        assert_eq!(ad_views().await, 2);
    }
}
