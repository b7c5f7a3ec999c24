//! The limits of a viewer's plays and pauses, and of an account's registrations.

use crate::env::{TestEnv, TestRequest, TestResponse};
use serde_json::{Value, json};

/// The number of plays that are allowed at once.
const VIEW_BURST: usize = 60;
/// The number of recorded pauses of a session that are allowed at once.
const PAUSE_BURST: usize = 5;

/// Registers videos of an hour. Returns their IDs and a viewer's token.
async fn videos_and_viewer(env: &TestEnv, count: usize) -> (Vec<i64>, String) {
    let (_, owner) = env.user("owner").await;
    let (_, viewer) = env.user("viewer").await;
    let mut videos = Vec::new();
    for number in 0..count {
        videos.push(env.video(&owner, &format!("film {number}"), 3_600).await);
    }
    (videos, viewer)
}

async fn play(env: &TestEnv, video: i64, viewer: &str) -> TestResponse {
    let path = format!("/videos/{video}/play");
    env.request("POST", &path, viewer).await
}

async fn pause(env: &TestEnv, video: i64, at: usize, viewer: &str) -> TestResponse {
    let path = format!("/videos/{video}/pause?currentPlayedAt={at}");
    env.request("POST", &path, viewer).await
}

/// Asserts that a request exceeds a limit. Returns the seconds after which it is allowed.
#[track_caller]
fn retry_after_s(answer: &TestResponse, code: &str) -> i64 {
    answer.is_problem(429, code);
    answer.header("Retry-After").unwrap().parse().unwrap()
}

/// Returns the value of a metric.
async fn metric(env: &TestEnv, series: &str) -> String {
    let text = env.send(TestRequest::new("GET", "/metrics")).await.is(200);
    let line = text.text.lines().find_map(|line| line.strip_prefix(series));
    line.unwrap_or_else(|| panic!("{series}")).trim().to_owned()
}

#[tokio::test]
async fn a_viewer_has_a_burst_of_views_and_then_the_rate() {
    let env = TestEnv::new().await;
    let (videos, viewer) = videos_and_viewer(&env, VIEW_BURST + 2).await;
    for video in &videos[..VIEW_BURST] {
        play(&env, *video, &viewer).await.is(200);
        // A repeat takes nothing from the limit.
        play(&env, *video, &viewer)
            .await
            .is_problem(429, "repeated-view");
    }
    let next = videos[VIEW_BURST];
    let rejected = play(&env, next, &viewer).await;
    assert_eq!(retry_after_s(&rejected, "too-many-views"), 2);
    let read = env
        .request("GET", &format!("/videos/{next}"), &viewer)
        .await;
    assert_eq!(read.is(200).json()["viewCount"], 0);
    // Another viewer has another limit.
    let (_, other) = env.user("other").await;
    play(&env, next, &other).await.is(200);

    env.clock.advance_ms(1_999);
    let rejected = play(&env, next, &viewer).await;
    assert_eq!(retry_after_s(&rejected, "too-many-views"), 1);
    env.clock.advance_ms(1);
    play(&env, next, &viewer).await.is(200);
    let rejected = play(&env, videos[VIEW_BURST + 1], &viewer).await;
    assert_eq!(retry_after_s(&rejected, "too-many-views"), 2);
    let series = "balance_intake_requests_total{command=\"play\",outcome=\"too_many\"}";
    assert_eq!(metric(&env, series).await, "3");
}

#[tokio::test]
async fn a_repetition_under_a_key_takes_no_view() {
    let env = TestEnv::new().await;
    let (videos, viewer) = videos_and_viewer(&env, VIEW_BURST).await;
    let keyed = async || {
        let path = format!("/videos/{}/play", videos[0]);
        let request = TestRequest::new("POST", &path).token(&viewer);
        env.send(request.header("Idempotency-Key", "p-1")).await
    };
    for _ in 0..VIEW_BURST {
        keyed().await.is(200);
    }
    for video in &videos[1..] {
        play(&env, *video, &viewer).await.is(200);
    }
    keyed().await.is(200);
}

#[tokio::test]
async fn a_session_has_a_burst_of_pauses_and_then_one_a_second() {
    let env = TestEnv::new().await;
    let (videos, viewer) = videos_and_viewer(&env, 2).await;
    let (video, other) = (videos[0], videos[1]);
    play(&env, video, &viewer).await.is(200);
    play(&env, other, &viewer).await.is(200);
    env.clock.advance_ms(10_000);
    for at in 1..=PAUSE_BURST {
        pause(&env, video, at, &viewer).await.is(200);
    }
    let rejected = pause(&env, video, PAUSE_BURST + 1, &viewer).await;
    assert_eq!(retry_after_s(&rejected, "too-many-pauses"), 1);
    // A pause that credits nothing only moves the position, and the other session has its own limit.
    pause(&env, video, PAUSE_BURST, &viewer).await.is(200);
    pause(&env, other, 1, &viewer).await.is(200);

    env.clock.advance_ms(1_000);
    let answer = pause(&env, video, PAUSE_BURST + 2, &viewer).await.is(200);
    // The rejected pause changed nothing: its second is credited now.
    assert_eq!(answer.header("X-Credited-Seconds"), Some("2"));
    let series = "balance_intake_requests_total{command=\"pause\",outcome=\"too_many\"}";
    assert_eq!(metric(&env, series).await, "1");
}

/// Registers a video, under a key if there is one.
async fn register(env: &TestEnv, token: &str, title: &str, key: Option<&str>) -> TestResponse {
    let body = json!({"title": title, "duration": 60});
    let mut request = TestRequest::new("POST", "/videos").token(token).json(&body);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    env.send(request).await
}

#[tokio::test]
async fn an_account_has_a_burst_of_registrations_and_then_the_rate() {
    let env = TestEnv::new().await;
    let admin = env.admin("boss").await;
    let (_, creator) = env.user("creator").await;
    let mut rules: Value = env.request("GET", "/play-rules", &admin).await.json();
    for (field, value) in [("videosPerHour", 60), ("videoBurst", 3)] {
        rules[field] = json!(value);
    }
    rules.as_object_mut().unwrap().remove("setAt");
    let request = TestRequest::new("PUT", "/play-rules").token(&admin);
    env.send(request.json(&rules)).await.is(200);

    let first = register(&env, &creator, "0", Some("v-1")).await.is(201);
    for title in ["1", "2"] {
        register(&env, &creator, title, None).await.is(201);
    }
    for key in [None, Some("v-2")] {
        let rejected = register(&env, &creator, "3", key).await;
        assert_eq!(retry_after_s(&rejected, "too-many-videos"), 60);
    }
    // A repetition takes nothing, and admins are accounts with the same limit.
    let again = register(&env, &creator, "0", Some("v-1")).await.is(201);
    assert_eq!(again.json(), first.json());
    for title in ["a", "b", "c"] {
        register(&env, &admin, title, None).await.is(201);
    }
    let rejected = register(&env, &admin, "d", None).await;
    assert_eq!(retry_after_s(&rejected, "too-many-videos"), 60);

    env.clock.advance_ms(59_001);
    let rejected = register(&env, &creator, "3", Some("v-2")).await;
    assert_eq!(retry_after_s(&rejected, "too-many-videos"), 1);
    env.clock.advance_ms(999);
    // A rejected request stored no answer under its key.
    register(&env, &creator, "3", Some("v-2")).await.is(201);
    let rejected = register(&env, &creator, "4", None).await;
    assert_eq!(retry_after_s(&rejected, "too-many-videos"), 60);
    let all = env.request("GET", "/videos?limit=100", &creator).await;
    assert_eq!(all.is(200).json()["items"].as_array().unwrap().len(), 7);

    // After a step back of the clock an account waits for one interval at most, not for the step.
    env.clock.step_s(-300);
    register(&env, &creator, "4", None).await.is(201);
    let rejected = register(&env, &creator, "5", None).await;
    assert_eq!(retry_after_s(&rejected, "too-many-videos"), 60);
    env.clock.advance_ms(60_000);
    register(&env, &creator, "5", None).await.is(201);
}
