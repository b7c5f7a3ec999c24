//! Request IDs, limits, headers, and errors of the framework.

use crate::env::{TestEnv, TestRequest, UNLIMITED};
use balance_test_support::intake::FakeIntake;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn operations_with_effects_reject_head() {
    let env = TestEnv::new().await;
    let boss = env.admin("boss").await;
    let path = "/run-day-batch-job?date=2026-03-01";
    let rejected = env.request("HEAD", path, &boss).await;
    assert_eq!(rejected.code(), 405, "{rejected:?}");
    assert_eq!(rejected.header("Allow"), Some("GET"));
    let jobs = env.request("GET", "/jobs/executions", &boss).await.is(200);
    assert_eq!(jobs.json()["items"].as_array().unwrap().len(), 0);
    env.request("HEAD", "/jobs", &boss).await.is(200);
    env.request("GET", path, &boss).await.is(202);
}

#[tokio::test]
async fn a_valid_request_id_is_kept_and_an_invalid_one_replaced() {
    let env = TestEnv::new().await;
    let id = async |given: &[u8]| {
        let request = TestRequest::new("GET", "/health/live").header("X-Request-Id", given);
        let answer = env.send(request).await.is(200);
        answer.header("X-Request-Id").unwrap().to_owned()
    };
    assert_eq!(id(b"web-1.2:3_4").await, "web-1.2:3_4");
    for invalid in [
        &b""[..],
        b"a b",
        b"<script>",
        "이름".as_bytes(),
        &b"x".repeat(129),
    ] {
        assert_eq!(id(invalid).await.len(), 36, "a UUID");
    }
}

#[tokio::test]
async fn responses_have_security_headers() {
    let env = TestEnv::new().await;
    for path in ["/health/live", "/nothing"] {
        let answer = env.send(TestRequest::new("GET", path)).await;
        for (name, value) in [
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        assert!(answer.header("Content-Security-Policy").is_some());
    }
}

#[tokio::test]
async fn errors_of_the_framework_are_problems_too() {
    let env = TestEnv::new().await;
    env.send(TestRequest::new("GET", "/nothing"))
        .await
        .is_problem(404, "no-such-path");
    env.send(TestRequest::new("PUT", "/join"))
        .await
        .is_problem(405, "method-not-allowed");
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "nonsense",
    ] {
        let request = TestRequest::new("POST", "/join").header("Content-Type", content_type);
        env.send(request)
            .await
            .is_problem(415, "unsupported-media-type");
    }
    env.send(TestRequest::new("POST", "/join"))
        .await
        .is_problem(415, "unsupported-media-type");
    let large = json!({"username": "x".repeat(70_000), "password": "correct horse"});
    env.post("/join", &large)
        .await
        .is_problem(413, "body-too-large");
    let unread = TestRequest::new("GET", "/health/live").text("x".repeat(70_000));
    env.send(unread).await.is_problem(413, "body-too-large");
}

#[tokio::test]
async fn a_panic_is_a_500_without_details_and_the_server_survives() {
    let env = TestEnv::with(UNLIMITED, Some(Arc::new(FakeIntake::Panics))).await;
    let (_, owner) = env.user("owner").await;
    let video = env.video(&owner, "a film", 600).await;
    let play = env
        .request("POST", &format!("/videos/{video}/play"), &owner)
        .await;
    play.is_problem(500, "internal-error");
    assert!(!play.text.contains("on purpose"), "{play:?}");
    env.send(TestRequest::new("GET", "/health/live"))
        .await
        .is(200);
}

#[tokio::test]
async fn nothing_hangs_longer_than_the_limit() {
    let env = TestEnv::with(UNLIMITED, Some(Arc::new(FakeIntake::Hangs))).await;
    let (_, owner) = env.user("owner").await;
    let video = env.video(&owner, "a film", 600).await;
    // The video is now in the cache, and the paused clock makes waiting instant.
    let outside = format!("/videos/{video}/pause?currentPlayedAt=601");
    env.request("POST", &outside, &owner).await.is(400);
    tokio::time::pause();
    let play = env
        .request("POST", &format!("/videos/{video}/play"), &owner)
        .await;
    play.is_problem(503, "timed-out");
}
