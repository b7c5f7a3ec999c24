//! What every request passes: names, limits, headers, errors of the framework.

use crate::env::{Ask, MANY, TestEnv};
use async_trait::async_trait;
use balance_service::playback::intake::{Intake, IntakeError};
use balance_store::playback::{IntakeAnswer, IntakeRequest};
use serde_json::json;
use std::sync::Arc;

/// An intake that breaks, or hangs, when it is asked.
struct Faulty {
    hangs: bool,
}

#[async_trait]
impl Intake for Faulty {
    async fn accept(&self, _: IntakeRequest) -> Result<IntakeAnswer, IntakeError> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        panic!("on purpose")
    }

    async fn readiness(&self) -> Result<(), IntakeError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn what_does_something_is_not_only_looked_at() {
    let env = TestEnv::new().await;
    let boss = env.admin("boss").await;
    let path = "/run-day-batch-job?date=2026-03-01";
    let refused = env.ask("HEAD", path, &boss).await;
    assert_eq!(refused.code(), 405, "{refused:?}");
    assert_eq!(refused.header("Allow"), Some("GET"));
    let jobs = env.ask("GET", "/jobs/executions", &boss).await.is(200);
    assert_eq!(jobs.json()["items"].as_array().unwrap().len(), 0);
    env.ask("HEAD", "/jobs", &boss).await.is(200);
    env.ask("GET", path, &boss).await.is(202);
}

#[tokio::test]
async fn a_request_keeps_a_fit_name_and_gets_one_otherwise() {
    let env = TestEnv::new().await;
    let name = async |given: &[u8]| {
        let ask = Ask::new("GET", "/health/live").header("X-Request-Id", given);
        let answer = env.send(ask).await.is(200);
        answer.header("X-Request-Id").unwrap().to_owned()
    };
    assert_eq!(name(b"web-1.2:3_4").await, "web-1.2:3_4");
    for invalid_input in [
        &b""[..],
        b"a b",
        b"<script>",
        "이름".as_bytes(),
        &b"x".repeat(129),
    ] {
        assert_eq!(name(invalid_input).await.len(), 36, "a UUID");
    }
}

#[tokio::test]
async fn responses_protect_those_who_read_them() {
    let env = TestEnv::new().await;
    for path in ["/health/live", "/nothing"] {
        let answer = env.send(Ask::new("GET", path)).await;
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
    env.send(Ask::new("GET", "/nothing"))
        .await
        .is_problem(404, "no-such-path");
    env.send(Ask::new("PUT", "/join"))
        .await
        .is_problem(405, "method-not-allowed");
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "nonsense",
    ] {
        let ask = Ask::new("POST", "/join").header("Content-Type", content_type);
        env.send(ask)
            .await
            .is_problem(415, "unsupported-media-type");
    }
    env.send(Ask::new("POST", "/join"))
        .await
        .is_problem(415, "unsupported-media-type");
    let large = json!({"username": "x".repeat(70_000), "password": "correct horse"});
    env.post("/join", &large)
        .await
        .is_problem(413, "body-too-large");
    let unheard = Ask::new("GET", "/health/live").text("x".repeat(70_000));
    env.send(unheard).await.is_problem(413, "body-too-large");
}

#[tokio::test]
async fn a_panic_is_a_500_without_innards_and_the_server_lives() {
    let env = TestEnv::with(MANY, Some(Arc::new(Faulty { hangs: false }))).await;
    let (_, owner) = env.user("owner").await;
    let video = env.video(&owner, "a film", 600).await;
    let play = env
        .ask("POST", &format!("/videos/{video}/play"), &owner)
        .await;
    play.is_problem(500, "internal-error");
    assert!(!play.text.contains("on purpose"), "{play:?}");
    env.send(Ask::new("GET", "/health/live")).await.is(200);
}

#[tokio::test]
async fn nothing_hangs_longer_than_the_limit() {
    let env = TestEnv::with(MANY, Some(Arc::new(Faulty { hangs: true }))).await;
    let (_, owner) = env.user("owner").await;
    let video = env.video(&owner, "a film", 600).await;
    // The video is at hand from here on, and waiting takes no time.
    let outside = format!("/videos/{video}/pause?currentPlayedAt=601");
    env.ask("POST", &outside, &owner).await.is(400);
    tokio::time::pause();
    let play = env
        .ask("POST", &format!("/videos/{video}/play"), &owner)
        .await;
    play.is_problem(503, "timed-out");
}
