//! The metrics for Prometheus.

use crate::env::{TestEnv, TestRequest, UNLIMITED};
use balance_domain::clock::Clock;
use balance_service::events::stream::EventStream;
use balance_test_support::stream::FakeStream;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Scrapes the metrics, and returns the samples by name and labels. Asserts that the text is valid.
pub(crate) async fn scrape(env: &TestEnv) -> BTreeMap<String, f64> {
    let answer = env.send(TestRequest::new("GET", "/metrics")).await.is(200);
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let mut described = BTreeSet::new();
    let mut samples = BTreeMap::new();
    for line in answer.text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(described.insert(name.to_owned()), "{line}: twice");
        } else if !line.starts_with("# HELP ") {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            let is_described = described.contains(name)
                || ["_bucket", "_sum", "_count"].iter().any(|end| {
                    let base = name.strip_suffix(end);
                    base.is_some_and(|base| described.contains(base))
                });
            assert!(is_described, "{line}");
            let value: f64 = value.parse().unwrap();
            let is_new = samples.insert(sample.to_owned(), value).is_none();
            assert!(is_new, "{line}: twice");
        }
    }
    samples
}

/// Creates an environment with an event stream.
async fn env(waiting: Option<Vec<u64>>) -> (TestEnv, Arc<FakeStream>) {
    let stream = FakeStream::with_waiting(waiting);
    let injected: Arc<dyn EventStream> = Arc::<FakeStream>::clone(&stream);
    (
        TestEnv::with_stream(UNLIMITED, None, Some(injected)).await,
        stream,
    )
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_status() {
    let env = TestEnv::new().await;
    let (_, user) = env.user("user").await;
    for path in ["/nothing", "/videos/1/nothing", "/%F0%9F%98%80"] {
        env.request("GET", path, &user).await.is(404);
    }
    env.request("GET", "/videos/1", &user).await.is(404);
    env.request("GET", "/videos/x", &user).await.is(400);
    env.send(TestRequest::new("GET", "/videos/2")).await.is(401);
    let samples = scrape(&env).await;
    let of = |part: &str, operation: &str, status: u16| {
        let name = format!(
            "balance_http_request_duration_seconds_{part}{{operation=\"{operation}\",status=\"{status}\"}}"
        );
        samples.get(&name).copied().unwrap_or_default()
    };
    for (operation, status, count) in [
        ("join", 201, 1.0),
        ("login", 200, 1.0),
        ("none", 404, 3.0),
        ("getVideo", 404, 1.0),
        ("getVideo", 400, 1.0),
        ("getVideo", 401, 1.0),
    ] {
        assert_eq!(
            of("count", operation, status),
            count,
            "{operation} {status}"
        );
    }
    // Password hashing takes time.
    assert!(of("sum", "login", 200) > 0.0);
    assert!(!samples.keys().any(|name| name.contains("nothing")));
    // A scrape counts as a request after it has ended.
    assert_eq!(of("count", "getMetrics", 200), 0.0);
    let name =
        "balance_http_request_duration_seconds_count{operation=\"getMetrics\",status=\"200\"}";
    assert_eq!(scrape(&env).await[name], 1.0);
}

#[tokio::test]
async fn plays_and_pauses_are_counted_by_outcome() {
    let env = TestEnv::new().await;
    let (_, owner) = env.user("owner").await;
    let (_, user) = env.user("user").await;
    let video = env.video(&owner, "a film", 600).await;
    let play = format!("/videos/{video}/play");
    let pause = |at: i64| format!("/videos/{video}/pause?currentPlayedAt={at}");
    env.request("POST", &pause(0), &user).await.is(409);
    env.request("POST", &play, &user).await.is(200);
    env.request("POST", &play, &user).await.is(429);
    env.request("POST", &play, &owner).await.is(200);
    env.request("POST", "/videos/9/play", &user).await.is(404);
    env.request("POST", &pause(601), &user).await.is(400);
    env.request("POST", &pause(60), &user).await.is(200);
    let keyed = |path: &str| {
        let request = TestRequest::new("POST", path).token(&user);
        env.send(request.header("Idempotency-Key", "k"))
    };
    keyed(&pause(70)).await.is(200);
    keyed(&pause(80)).await.is(409);
    let samples = scrape(&env).await;
    for (command, outcome, count) in [
        ("play", "accepted", 2.0),
        ("play", "repeat", 1.0),
        ("play", "no_such_video", 1.0),
        ("play", "unavailable", 0.0),
        ("pause", "accepted", 2.0),
        ("pause", "no_session", 1.0),
        ("pause", "outside_video", 1.0),
        ("pause", "key_reused", 1.0),
    ] {
        let name =
            format!("balance_intake_requests_total{{command=\"{command}\",outcome=\"{outcome}\"}}");
        assert_eq!(samples[&name], count, "{name}");
    }
}

#[tokio::test]
async fn the_gauges_match_the_database() {
    let (env, _) = env(Some(vec![3, 0])).await;
    let (_, owner) = env.user("owner").await;
    let (_, user) = env.user("user").await;
    let admin = env.admin("admin").await;
    let video = env.video(&owner, "a film", 600).await;
    env.request("POST", &format!("/videos/{video}/play"), &user)
        .await
        .is(200);
    let before = scrape(&env).await;
    assert!(!before.contains_key("balance_closed_until_timestamp_seconds"));
    assert_eq!(before["balance_running_executions"], 0.0);
    for (shard, waiting) in [(0, 3.0), (1, 0.0)] {
        let name = format!("balance_event_writer_waiting_entries{{shard=\"{shard}\"}}");
        assert_eq!(before[&name], waiting);
    }
    // On the next day the day before is launched; no worker runs.
    env.clock.advance_ms(86_400_000);
    let body = json!({"date": "2026-03-02"});
    let request = TestRequest::new("POST", "/jobs/dayStatisticsJob/executions");
    let admin = env.login("admin").await["accessToken"]
        .as_str()
        .map_or(admin, ToOwned::to_owned);
    env.send(request.token(&admin).json(&body)).await.is(202);
    let samples = scrape(&env).await;
    for (name, value) in [
        ("balance_running_executions", 1.0),
        ("balance_leases{state=\"claimable\"}", 1.0),
        ("balance_leases{state=\"owned\"}", 0.0),
        ("balance_workers", 0.0),
        // No worker receives notifications.
        ("balance_queue_notifications", 0.0),
        ("balance_queue_window", 2.0),
        ("balance_waiting_days{status=\"FAILED\"}", 0.0),
        ("balance_store_up{store=\"database\"}", 1.0),
        ("balance_store_up{store=\"queue\"}", 1.0),
        ("balance_store_up{store=\"stream\"}", 1.0),
    ] {
        assert_eq!(samples[name], value, "{name}");
    }
}

#[tokio::test]
async fn metrics_of_unavailable_stores_are_left_out_without_hanging() {
    let (env, _) = env(None).await;
    let whole = TestEnv::new().await;
    env.close_database().await;
    // The paused clock makes waiting instant.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let samples = scrape(&env).await;
    assert!(began.elapsed().as_secs() <= 2, "{:?}", began.elapsed());
    for (store, up) in [("database", 0.0), ("stream", 0.0), ("queue", 1.0)] {
        let name = format!("balance_store_up{{store=\"{store}\"}}");
        assert_eq!(samples[&name], up, "{name}");
    }
    let names: BTreeSet<&str> = samples
        .keys()
        .map(|sample| sample.split('{').next().unwrap())
        .collect();
    for missing in ["balance_leases", "balance_event_writer_waiting_entries"] {
        assert!(!names.contains(missing), "{missing}");
    }
    assert!(names.contains("balance_intake_requests_total"));
    tokio::time::resume();
    let name = "balance_store_up{store=\"database\"}";
    assert_eq!(scrape(&whole).await[name], 1.0);
}

#[tokio::test]
async fn concurrent_scrapes_query_the_stores_once_a_second() {
    let (env, stream) = env(Some(vec![1])).await;
    let scrapes = (0..50).map(|_| scrape(&env));
    futures_util::future::join_all(scrapes).await;
    assert_eq!(stream.waiting_calls(), 1);
    env.clock.advance_ms(1_000);
    scrape(&env).await;
    assert_eq!(stream.waiting_calls(), 2);
    // A clock that is set back must not keep the snapshot for ever.
    env.clock.advance_ms(-3_600_000);
    scrape(&env).await;
    assert_eq!(stream.waiting_calls(), 3);
}

#[tokio::test]
async fn the_differences_of_the_clocks_are_reported() {
    let (env, _) = env(Some(vec![0])).await;
    let (_, owner) = env.user("owner").await;
    let (_, user) = env.user("user").await;
    let video = env.video(&owner, "a film", 600).await;
    let play = format!("/videos/{video}/play");
    env.request("POST", &play, &user).await.is(200);
    env.clock.step_s(-400);
    let samples = scrape(&env).await;
    // The stream of the test is at 1970.
    let now_s = (env.clock.now_micros() / 1_000_000) as f64;
    for (name, value) in [
        ("balance_clock_skew_seconds{store=\"database\"}", 0.0),
        ("balance_clock_skew_seconds{store=\"stream\"}", now_s),
        (
            "balance_last_event_ahead_seconds{store=\"database\"}",
            400.0,
        ),
        ("balance_last_event_ahead_seconds{store=\"stream\"}", 0.0),
    ] {
        assert_eq!(samples[name], value, "{name}");
    }
    let refused = env.request("POST", &play, &user).await.is(503);
    assert_eq!(refused.header("Retry-After"), Some("1"));
    let ready = env.send(TestRequest::new("GET", "/health/ready")).await;
    let text = ready.is(503).text;
    assert!(text.contains("and the clock is at 2026-03-02T"), "{text}");
    let name = "balance_intake_requests_total{command=\"play\",outcome=\"unusable\"}";
    assert_eq!(scrape(&env).await[name], 1.0);
}
