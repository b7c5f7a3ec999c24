//! What Prometheus reads.

use crate::env::{Ask, MANY, TestEnv};
use async_trait::async_trait;
use balance_service::events::stream::{Closed, EventStream, Retained, StreamError, SuppressedPage};
use balance_store::events::{Entry, EntryId};
use chrono::NaiveDate;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The samples of a scrape, by name and labels. Fails where it is not well formed.
pub(crate) async fn scrape(env: &TestEnv) -> BTreeMap<String, f64> {
    let answer = env.send(Ask::new("GET", "/metrics")).await.is(200);
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

/// A stream that says so many wait, or nothing at all; counts how often it is asked.
struct Stream {
    waiting: Option<Vec<u64>>,
    asked: AtomicU64,
}

#[async_trait]
impl EventStream for Stream {
    async fn waiting(&self) -> Result<Vec<u64>, StreamError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match &self.waiting {
            Some(waiting) => Ok(waiting.clone()),
            None => std::future::pending().await,
        }
    }

    async fn read(&self, _: &str, _: u32) -> Result<Vec<Entry>, StreamError> {
        Ok(Vec::new())
    }

    async fn acknowledge(&self, _: &[EntryId]) -> Result<(), StreamError> {
        Ok(())
    }

    async fn close(&self, _: i64) -> Result<Closed, StreamError> {
        Ok(Closed::Drained)
    }

    async fn trim(&self, _: i64) -> Result<(), StreamError> {
        Ok(())
    }

    async fn retained(&self) -> Result<Vec<Retained>, StreamError> {
        Ok(Vec::new())
    }

    async fn reread(
        &self,
        _: Option<EntryId>,
        _: EntryId,
        _: u32,
    ) -> Result<Vec<Entry>, StreamError> {
        Ok(Vec::new())
    }

    fn shards(&self) -> u16 {
        self.waiting
            .as_ref()
            .map_or(0, |waiting| u16::try_from(waiting.len()).unwrap())
    }

    async fn suppressed(
        &self,
        _: u16,
        _: NaiveDate,
        _: u64,
        _: u32,
    ) -> Result<SuppressedPage, StreamError> {
        Ok(SuppressedPage {
            counts: Vec::new(),
            next: None,
        })
    }
}

/// A world with a stream.
async fn env(waiting: Option<Vec<u64>>) -> (TestEnv, Arc<Stream>) {
    let stream = Arc::new(Stream {
        waiting,
        asked: AtomicU64::new(0),
    });
    let of_world: Arc<dyn EventStream> = Arc::<Stream>::clone(&stream);
    (TestEnv::of(MANY, None, Some(of_world)).await, stream)
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_status() {
    let env = TestEnv::new().await;
    let (_, user) = env.user("user").await;
    for path in ["/nothing", "/videos/1/nothing", "/%F0%9F%98%80"] {
        env.ask("GET", path, &user).await.is(404);
    }
    env.ask("GET", "/videos/1", &user).await.is(404);
    env.ask("GET", "/videos/x", &user).await.is(400);
    env.send(Ask::new("GET", "/videos/2")).await.is(401);
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
    // Passwords take their time.
    assert!(of("sum", "login", 200) > 0.0);
    assert!(!samples.keys().any(|name| name.contains("nothing")));
    // A scrape is a request like any other, when it is over.
    assert_eq!(of("count", "getMetrics", 200), 0.0);
    let name =
        "balance_http_request_duration_seconds_count{operation=\"getMetrics\",status=\"200\"}";
    assert_eq!(scrape(&env).await[name], 1.0);
}

#[tokio::test]
async fn plays_and_pauses_are_counted_by_what_became_of_them() {
    let env = TestEnv::new().await;
    let (_, owner) = env.user("owner").await;
    let (_, user) = env.user("user").await;
    let video = env.video(&owner, "a film", 600).await;
    let play = format!("/videos/{video}/play");
    let pause = |at: i64| format!("/videos/{video}/pause?currentPlayedAt={at}");
    env.ask("POST", &pause(0), &user).await.is(409);
    env.ask("POST", &play, &user).await.is(200);
    env.ask("POST", &play, &user).await.is(429);
    env.ask("POST", &play, &owner).await.is(200);
    env.ask("POST", "/videos/9/play", &user).await.is(404);
    env.ask("POST", &pause(601), &user).await.is(400);
    env.ask("POST", &pause(60), &user).await.is(200);
    let keyed = |path: &str| {
        let ask = Ask::new("POST", path).by(&user);
        env.send(ask.header("Idempotency-Key", "k"))
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
async fn the_state_of_things_is_that_of_the_database() {
    let (env, _) = env(Some(vec![3, 0])).await;
    let (_, owner) = env.user("owner").await;
    let (_, user) = env.user("user").await;
    let admin = env.admin("admin").await;
    let video = env.video(&owner, "a film", 600).await;
    env.ask("POST", &format!("/videos/{video}/play"), &user)
        .await
        .is(200);
    let before = scrape(&env).await;
    assert!(!before.contains_key("balance_closed_until_timestamp_seconds"));
    assert_eq!(before["balance_running_executions"], 0.0);
    for (shard, waiting) in [(0, 3.0), (1, 0.0)] {
        let name = format!("balance_event_writer_waiting_entries{{shard=\"{shard}\"}}");
        assert_eq!(before[&name], waiting);
    }
    // The next day, the one before is launched; nobody works it.
    env.clock.pass_ms(86_400_000);
    let body = json!({"date": "2026-03-02"});
    let ask = Ask::new("POST", "/jobs/dayStatisticsJob/executions");
    let admin = env.login("admin").await["accessToken"]
        .as_str()
        .map_or(admin, ToOwned::to_owned);
    env.send(ask.by(&admin).json(&body)).await.is(202);
    let samples = scrape(&env).await;
    for (name, value) in [
        ("balance_running_executions", 1.0),
        ("balance_leases{state=\"free\"}", 1.0),
        ("balance_leases{state=\"held\"}", 0.0),
        ("balance_workers", 0.0),
        // Nobody is there to hear them.
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
async fn what_is_away_is_left_out_and_nothing_hangs() {
    let (env, _) = env(None).await;
    let whole = TestEnv::new().await;
    env.close_database().await;
    // Waiting takes no time from here on.
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
    for gone in ["balance_leases", "balance_event_writer_waiting_entries"] {
        assert!(!names.contains(gone), "{gone}");
    }
    assert!(names.contains("balance_intake_requests_total"));
    tokio::time::resume();
    let name = "balance_store_up{store=\"database\"}";
    assert_eq!(scrape(&whole).await[name], 1.0);
}

#[tokio::test]
async fn however_many_scrape_the_stores_are_looked_at_once_a_second() {
    let (env, stream) = env(Some(vec![1])).await;
    let scrapes = (0..50).map(|_| scrape(&env));
    futures_util::future::join_all(scrapes).await;
    assert_eq!(stream.asked.load(Ordering::SeqCst), 1);
    env.clock.pass_ms(1_000);
    scrape(&env).await;
    assert_eq!(stream.asked.load(Ordering::SeqCst), 2);
    // A clock that is put back must not keep what was seen for ever.
    env.clock.pass_ms(-3_600_000);
    scrape(&env).await;
    assert_eq!(stream.asked.load(Ordering::SeqCst), 3);
}
