//! Who may do what: every operation of the document, for everybody who may come along.

use crate::env::{Ask, TestEnv};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Who an operation is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Anyone,
    User,
    /// Whoever registered video 1, and admins.
    Owner,
    Admin,
}

/// Every operation: its id, who it is for, how it is asked, and what those are answered who may.
const OPERATIONS: [(&str, For, &str, &str, u16); 36] = [
    ("join", For::Anyone, "POST", "/join", 400),
    ("login", For::Anyone, "POST", "/login", 400),
    ("reissue", For::Anyone, "POST", "/reissue", 400),
    ("logout", For::Anyone, "POST", "/logout", 400),
    ("getLiveness", For::Anyone, "GET", "/health/live", 200),
    ("getReadiness", For::Anyone, "GET", "/health/ready", 200),
    ("getMetrics", For::Anyone, "GET", "/metrics", 200),
    ("registerVideo", For::User, "POST", "/videos", 201),
    ("listVideos", For::User, "GET", "/videos", 200),
    ("getVideo", For::User, "GET", "/videos/1", 200),
    ("playVideo", For::User, "POST", "/videos/1/play", 200),
    (
        "pauseVideo",
        For::User,
        "POST",
        "/videos/1/pause?currentPlayedAt=0",
        200,
    ),
    ("listRevenues", For::User, "GET", "/revenues", 200),
    (
        "listTopByViewCount",
        For::User,
        "GET",
        "/top5/view-count",
        200,
    ),
    (
        "listTopByPlayTime",
        For::User,
        "GET",
        "/top5/play-time",
        200,
    ),
    (
        "getVideoStatistics",
        For::Owner,
        "GET",
        "/videos/1/statistics",
        200,
    ),
    ("registerAd", For::Admin, "POST", "/ads", 201),
    ("listAds", For::Admin, "GET", "/ads", 200),
    ("listJobs", For::Admin, "GET", "/jobs", 200),
    (
        "listJobExecutions",
        For::Admin,
        "GET",
        "/jobs/executions",
        200,
    ),
    (
        "getJobExecution",
        For::Admin,
        "GET",
        "/jobs/executions/1",
        404,
    ),
    (
        "listStepExecutions",
        For::Admin,
        "GET",
        "/jobs/executions/1/steps",
        404,
    ),
    (
        "watchJobExecution",
        For::Admin,
        "GET",
        "/jobs/executions/1/events",
        404,
    ),
    (
        "restartJobExecution",
        For::Admin,
        "POST",
        "/jobs/executions/1/restart",
        404,
    ),
    (
        "stopJobExecution",
        For::Admin,
        "POST",
        "/jobs/executions/1/stop",
        404,
    ),
    (
        "abandonJobExecution",
        For::Admin,
        "POST",
        "/jobs/executions/1/abandon",
        404,
    ),
    (
        "retryStepExecution",
        For::Admin,
        "POST",
        "/jobs/steps/1/retry",
        404,
    ),
    (
        "launchJob",
        For::Admin,
        "POST",
        "/jobs/dayStatisticsJob/executions",
        400,
    ),
    (
        "runDayBatchJob",
        For::Admin,
        "GET",
        "/run-day-batch-job",
        202,
    ),
    ("listRevenueRates", For::Admin, "GET", "/revenue-rates", 200),
    ("putRevenueRates", For::Admin, "PUT", "/revenue-rates", 400),
    ("listWorkers", For::Admin, "GET", "/workers", 200),
    ("getQueue", For::Admin, "GET", "/queue", 200),
    ("listLateEvents", For::Admin, "GET", "/events/late", 200),
    (
        "listRejectedEvents",
        For::Admin,
        "GET",
        "/events/rejected",
        200,
    ),
    ("listAudit", For::Admin, "GET", "/audit", 200),
];

/// A body that fits whatever wants a video or an ad, and nothing else.
fn body(operation: &str) -> Value {
    match operation {
        "registerAd" => json!({"title": "an ad"}),
        _ => json!({"title": "a film", "duration": 600}),
    }
}

#[tokio::test]
async fn the_table_names_every_operation_of_the_document() {
    let env = TestEnv::new().await;
    let document = env
        .send(Ask::new("GET", "/openapi.json"))
        .await
        .is(200)
        .json();
    let mut documented = BTreeSet::new();
    for methods in document["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let is_open = operation["security"].is_null();
            let entry = OPERATIONS.iter().find(|entry| entry.0 == id);
            let (_, who, ..) = entry.unwrap_or_else(|| panic!("{id} is not in the table"));
            assert_eq!(
                *who == For::Anyone,
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
async fn everybody_may_do_what_is_theirs() {
    let env = TestEnv::new().await;
    let (_, owner) = env.user("owner").await;
    env.video(&owner, "a film", 600).await;
    let (_, expired) = env.user("early").await;
    env.clock.pass_ms(600_000);
    let refresh = env.login("early").await["refreshToken"]
        .as_str()
        .unwrap()
        .to_owned();
    // Another server, with the same accounts and another secret, could not do better than this.
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
    for (operation, who, method, path, fine) in OPERATIONS {
        let send = async |token: Option<&str>| {
            let mut ask = Ask::new(method, path);
            if method != "GET" {
                ask = ask.json(&body(operation));
            }
            if let Some(token) = token {
                ask = ask.by(token);
            }
            if operation == "playVideo" {
                // Or it would be a repeat.
                env.clock.pass_ms(30_000);
            }
            env.send(ask).await
        };
        let nobody = send(None).await;
        let others = [
            (&expired, "token-expired"),
            (&refresh, "token-invalid"),
            (&forged, "token-invalid"),
            (&unsigned, "token-invalid"),
        ];
        if who == For::Anyone {
            assert_eq!(nobody.code(), fine, "{operation}: {nobody:?}");
        } else {
            nobody.is_problem(401, "token-missing");
            for (token, code) in others {
                send(Some(token)).await.is_problem(401, code);
            }
            let ask = Ask::new(method, path).header("Authorization", "Basic YTpi");
            env.send(ask).await.is_problem(401, "token-missing");
        }
        // The video is the owner's: to play it is for everybody, the owner and others alike.
        for token in [&user, &creator] {
            let answer = send(Some(token)).await;
            match who {
                For::Admin => drop(answer.is_problem(403, "admin-only")),
                For::Owner => drop(answer.is_problem(403, "other-user")),
                For::Anyone | For::User => {
                    assert_eq!(answer.code(), fine, "{operation}: {answer:?}");
                }
            }
        }
        if who == For::Owner {
            let owner = env.login("owner").await;
            let answer = send(owner["accessToken"].as_str()).await;
            assert_eq!(answer.code(), fine, "{operation}: {answer:?}");
        }
        let answer = send(Some(&admin)).await;
        assert_eq!(answer.code(), fine, "{operation}: {answer:?}");
    }
}

#[tokio::test]
async fn nobody_plays_or_pauses_for_somebody_else() {
    let env = TestEnv::new().await;
    let (owner_id, owner) = env.user("owner").await;
    let (_, user) = env.user("user").await;
    let admin = env.admin("admin").await;
    env.video(&owner, "a film", 600).await;
    for token in [&user, &admin] {
        for path in ["/videos/1/play?", "/videos/1/pause?currentPlayedAt=1&"] {
            let path = format!("{path}userId={owner_id}");
            env.ask("POST", &path, token)
                .await
                .is_problem(403, "other-user");
        }
    }
}

#[tokio::test]
async fn a_stranger_is_told_nothing_of_the_bodys_faults() {
    let env = TestEnv::new().await;
    for path in ["/videos", "/ads"] {
        let ask = Ask::new("POST", path).text("{ broken");
        env.send(ask).await.is_problem(401, "token-missing");
    }
}
