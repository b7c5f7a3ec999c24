//! Liveness and readiness probes.

use crate::env::{TestEnv, TestRequest, UNLIMITED};
use balance_service::playback::intake::IntakeError;
use balance_test_support::intake::FakeIntake;
use serde_json::json;
use std::sync::Arc;

fn unavailable() -> IntakeError {
    IntakeError::Unavailable("connection refused to 10.1.2.3:6379".to_owned())
}

fn unusable() -> IntakeError {
    IntakeError::Unusable("appendonly is no".to_owned())
}

fn not_writable() -> IntakeError {
    IntakeError::NotWritable("Redis is a replica")
}

fn backlog() -> IntakeError {
    IntakeError::Backlog { backlog: 7 }
}

#[tokio::test]
async fn a_complete_server_is_live_and_ready() {
    let env = TestEnv::new().await;
    for path in ["/health/live", "/health/ready"] {
        let answer = env.send(TestRequest::new("GET", path)).await.is(200);
        assert_eq!(answer.json(), json!({"status": "up"}));
    }
}

#[tokio::test]
async fn without_its_intake_a_server_is_live_but_not_ready_and_plays_answer_503() {
    for (error, code, expected) in [
        (
            unavailable as fn() -> IntakeError,
            "store-unavailable",
            "is unavailable",
        ),
        (unusable, "store-unavailable", "appendonly is no"),
        (not_writable, "store-unavailable", "Redis is a replica"),
        (backlog, "backlog-full", "7"),
    ] {
        let env = TestEnv::with(UNLIMITED, Some(Arc::new(FakeIntake::Fails(error)))).await;
        env.send(TestRequest::new("GET", "/health/live"))
            .await
            .is(200);
        let ready = env.send(TestRequest::new("GET", "/health/ready")).await;
        let problem = ready.is_problem(503, "not-ready");
        assert_eq!(problem["errors"][0]["field"], "intake");
        let reason = problem["errors"][0]["reason"].as_str().unwrap();
        assert!(reason.contains(expected), "{reason}");
        assert!(!ready.text.contains("10.1.2.3"), "{ready:?}");

        let (_, owner) = env.user("owner").await;
        let video = env.video(&owner, "a film", 600).await;
        let play = env
            .request("POST", &format!("/videos/{video}/play"), &owner)
            .await;
        play.is_problem(503, code);
        assert!(!play.text.contains("10.1.2.3"), "{play:?}");
    }
}
