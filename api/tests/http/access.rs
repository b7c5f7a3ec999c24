//! The roles of every operation of the document.

use crate::env::{TestEnv, TestRequest};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The role that an operation requires.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Requires {
    Nothing,
    User,
    /// The owner of video 1, or an admin.
    Owner,
    Admin,
}

/// Every operation: ID, required role, method, path, and the status of an authorized request.
const OPERATIONS: [(&str, Requires, &str, &str, u16); 39] = [
    ("join", Requires::Nothing, "POST", "/join", 400),
    ("login", Requires::Nothing, "POST", "/login", 400),
    ("reissue", Requires::Nothing, "POST", "/reissue", 400),
    ("logout", Requires::Nothing, "POST", "/logout", 400),
    ("getLiveness", Requires::Nothing, "GET", "/health/live", 200),
    (
        "getReadiness",
        Requires::Nothing,
        "GET",
        "/health/ready",
        200,
    ),
    ("getMetrics", Requires::Nothing, "GET", "/metrics", 200),
    ("registerVideo", Requires::User, "POST", "/videos", 201),
    ("listVideos", Requires::User, "GET", "/videos", 200),
    (
        "getVideo",
        Requires::User,
        "GET",
        "/videos/8000000000000001",
        200,
    ),
    (
        "playVideo",
        Requires::User,
        "POST",
        "/videos/8000000000000001/play",
        200,
    ),
    (
        "pauseVideo",
        Requires::User,
        "POST",
        "/videos/8000000000000001/pause?currentPlayedAt=0",
        200,
    ),
    ("listRevenues", Requires::User, "GET", "/revenues", 200),
    (
        "listTopByViewCount",
        Requires::User,
        "GET",
        "/top5/view-count",
        200,
    ),
    (
        "listTopByPlayTime",
        Requires::User,
        "GET",
        "/top5/play-time",
        200,
    ),
    (
        "getVideoStatistics",
        Requires::Owner,
        "GET",
        "/videos/8000000000000001/statistics",
        200,
    ),
    (
        "getVideoSuppressed",
        Requires::Owner,
        "GET",
        "/videos/8000000000000001/suppressed",
        200,
    ),
    ("registerAd", Requires::Admin, "POST", "/ads", 201),
    ("listAds", Requires::Admin, "GET", "/ads", 200),
    ("listJobs", Requires::Admin, "GET", "/jobs", 200),
    (
        "listJobExecutions",
        Requires::Admin,
        "GET",
        "/jobs/executions",
        200,
    ),
    (
        "getJobExecution",
        Requires::Admin,
        "GET",
        "/jobs/executions/1",
        404,
    ),
    (
        "listStepExecutions",
        Requires::Admin,
        "GET",
        "/jobs/executions/1/steps",
        404,
    ),
    (
        "watchJobExecution",
        Requires::Admin,
        "GET",
        "/jobs/executions/1/events",
        404,
    ),
    (
        "restartJobExecution",
        Requires::Admin,
        "POST",
        "/jobs/executions/1/restart",
        404,
    ),
    (
        "stopJobExecution",
        Requires::Admin,
        "POST",
        "/jobs/executions/1/stop",
        404,
    ),
    (
        "abandonJobExecution",
        Requires::Admin,
        "POST",
        "/jobs/executions/1/abandon",
        404,
    ),
    (
        "retryStepExecution",
        Requires::Admin,
        "POST",
        "/jobs/steps/1/retry",
        404,
    ),
    (
        "launchJob",
        Requires::Admin,
        "POST",
        "/jobs/dayStatisticsJob/executions",
        400,
    ),
    (
        "runDayBatchJob",
        Requires::Admin,
        "GET",
        "/run-day-batch-job",
        202,
    ),
    (
        "listRevenueRates",
        Requires::Admin,
        "GET",
        "/revenue-rates",
        200,
    ),
    (
        "putRevenueRates",
        Requires::Admin,
        "PUT",
        "/revenue-rates",
        400,
    ),
    ("getPlayRules", Requires::Admin, "GET", "/play-rules", 200),
    ("putPlayRules", Requires::Admin, "PUT", "/play-rules", 400),
    ("listWorkers", Requires::Admin, "GET", "/workers", 200),
    ("getQueue", Requires::Admin, "GET", "/queue", 200),
    (
        "listLateEvents",
        Requires::Admin,
        "GET",
        "/events/late",
        200,
    ),
    (
        "listRejectedEvents",
        Requires::Admin,
        "GET",
        "/events/rejected",
        200,
    ),
    ("listAudit", Requires::Admin, "GET", "/audit", 200),
];

/// Returns a valid body for a video or an ad. Other operations reject it.
fn body(operation: &str) -> Value {
    match operation {
        "registerAd" => json!({"title": "an ad"}),
        _ => json!({"title": "a film", "duration": 600}),
    }
}

#[tokio::test]
async fn the_table_has_every_operation_of_the_document() {
    let env = TestEnv::new().await;
    let document = env
        .send(TestRequest::new("GET", "/openapi.json"))
        .await
        .is(200)
        .json();
    let mut documented = BTreeSet::new();
    for methods in document["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let is_open = operation["security"].is_null();
            let entry = OPERATIONS.iter().find(|entry| entry.0 == id);
            let (_, required, ..) = entry.unwrap_or_else(|| panic!("{id} is not in the table"));
            assert_eq!(
                *required == Requires::Nothing,
                is_open,
                "{id}: its security in the document"
            );
            documented.insert(id);
        }
    }
    let listed: BTreeSet<String> = OPERATIONS.iter().map(|entry| entry.0.to_owned()).collect();
    assert_eq!(documented, listed);
}

#[tokio::test]
async fn each_role_has_its_operations() {
    let env = TestEnv::new().await;
    let (_, owner) = env.user("owner").await;
    env.video(&owner, "a film", 600).await;
    let (_, expired) = env.user("early").await;
    env.clock.advance_ms(600_000);
    let refresh = env.login("early").await["refreshToken"]
        .as_str()
        .unwrap()
        .to_owned();
    // A token whose signature was made with another secret.
    let mut forged = env.login("early").await["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'Q' } else { 'A' });
    let unsigned = {
        let mut parts = forged.split('.');
        let claims = parts.nth(1).unwrap();
        // {"alg":"none","typ":"JWT"}
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.")
    };
    let user = env.user("user").await.1;
    let creator = env.user("creator").await.1;
    let admin = env.admin("admin").await;
    for (operation, required, method, path, expected) in OPERATIONS {
        let send = async |token: Option<&str>| {
            let mut request = TestRequest::new(method, path);
            if method != "GET" {
                request = request.json(&body(operation));
            }
            if let Some(token) = token {
                request = request.token(token);
            }
            if operation == "playVideo" {
                // Otherwise the play is a repeated view.
                env.clock.advance_ms(30_000);
            }
            env.send(request).await
        };
        let anonymous = send(None).await;
        let others = [
            (&expired, "token-expired"),
            (&refresh, "token-invalid"),
            (&forged, "token-invalid"),
            (&unsigned, "token-invalid"),
        ];
        if required == Requires::Nothing {
            assert_eq!(anonymous.code(), expected, "{operation}: {anonymous:?}");
        } else {
            anonymous.is_problem(401, "token-missing");
            for (token, code) in others {
                send(Some(token)).await.is_problem(401, code);
            }
            let request = TestRequest::new(method, path).header("Authorization", "Basic YTpi");
            env.send(request).await.is_problem(401, "token-missing");
        }
        // Any user may play the video, not only its owner.
        for token in [&user, &creator] {
            let answer = send(Some(token)).await;
            match required {
                Requires::Admin => drop(answer.is_problem(403, "admin-only")),
                Requires::Owner => drop(answer.is_problem(403, "other-user")),
                Requires::Nothing | Requires::User => {
                    assert_eq!(answer.code(), expected, "{operation}: {answer:?}");
                }
            }
        }
        if required == Requires::Owner {
            let owner = env.login("owner").await;
            let answer = send(owner["accessToken"].as_str()).await;
            assert_eq!(answer.code(), expected, "{operation}: {answer:?}");
        }
        let answer = send(Some(&admin)).await;
        assert_eq!(answer.code(), expected, "{operation}: {answer:?}");
    }
}

#[tokio::test]
async fn plays_and_pauses_require_the_users_own_token() {
    let env = TestEnv::new().await;
    let (owner_id, owner) = env.user("owner").await;
    let (_, user) = env.user("user").await;
    let admin = env.admin("admin").await;
    env.video(&owner, "a film", 600).await;
    for token in [&user, &admin] {
        for path in [
            "/videos/8000000000000001/play?",
            "/videos/8000000000000001/pause?currentPlayedAt=1&",
        ] {
            let path = format!("{path}userId={owner_id}");
            env.request("POST", &path, token)
                .await
                .is_problem(403, "other-user");
        }
    }
}

#[tokio::test]
async fn an_unauthenticated_client_gets_no_details_about_the_body() {
    let env = TestEnv::new().await;
    for path in ["/videos", "/ads"] {
        let request = TestRequest::new("POST", path).text("{ broken");
        env.send(request).await.is_problem(401, "token-missing");
    }
}
