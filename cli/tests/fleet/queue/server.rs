//! The Redis of the queue: its keys after many tasks, foreign payloads and dead consumers, its
//! latency, and an unavailable server.

use crate::queue::notifier::{Consumer, ids, notification_of, shared};
use balance_redis::RedisNotifier;
use balance_service::jobs::notifier::{Notification, Notifier, NotifierError};
use balance_test_support::{
    servers::{PASSWORD, Redis},
    stream::{IDENTITY, identity},
};
use balance_worker::queue::NotificationBackend;
use std::time::{Duration, Instant};

const TASKS: usize = 100_000;
const MEBIBYTE: u64 = 1 << 20;

fn memory(redis: &Redis) -> u64 {
    // Free pages of the allocator would count as used.
    redis.command(0, &["MEMORY", "PURGE"]);
    redis
        .command(0, &["INFO", "memory"])
        .iter()
        .find_map(|line| line.strip_prefix("used_memory:"))
        .and_then(|bytes| bytes.trim().parse().ok())
        .expect("used_memory")
}

fn keys(redis: &Redis, database: u32) -> Vec<String> {
    let mut keys = redis.command(database, &["KEYS", "*"]);
    keys.sort_unstable();
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_tasks_leave_nothing_behind() {
    let redis = tokio::task::spawn_blocking(Redis::start).await.unwrap();
    // The test measures the remaining keys, not the durability.
    redis.command(0, &["CONFIG", "SET", "appendfsync", "no"]);
    let queue = RedisNotifier::open(&redis.url(PASSWORD, 0), &identity()).unwrap();
    let mut consumer = Consumer::start("one", NotificationBackend::Redis(queue.clone()));
    // A first round creates the permanent keys and loads the scripts.
    queue.notify(&ids(1..=100), 1_000);
    for _ in 0..100 {
        consumer.next().await;
    }
    until_purged(&queue, &redis, None).await;
    let (keys_before, memory_before) = (keys(&redis, 0), memory(&redis));

    let began = Instant::now();
    let (mut received, mut most_waiting) = (0, 0);
    while received < TASKS {
        queue.notify(&ids(1..=500), 500);
        queue.flush().await;
        most_waiting = most_waiting.max(queue.waiting().await.unwrap());
        while queue.waiting().await.unwrap() > 0 {
            consumer.next().await;
            received += 1;
        }
        queue.purge().await.unwrap();
    }
    println!("{received} tasks in {:?}", began.elapsed());
    assert!(most_waiting <= 500, "{most_waiting}");
    until_purged(&queue, &redis, Some(&keys_before)).await;
    let grown = memory(&redis).saturating_sub(memory_before);
    println!("memory grown by {grown} bytes");
    assert!(grown < MEBIBYTE, "{grown} bytes more than before");
}

/// Purges until the keys are the expected ones, or until no task is left.
async fn until_purged(queue: &RedisNotifier, redis: &Redis, expected: Option<&[String]>) {
    let began = Instant::now();
    loop {
        queue.purge().await.unwrap();
        let keys = keys(redis, 0);
        let is_purged = match expected {
            Some(expected) => keys == expected,
            None => !keys.iter().any(|key| key.contains(":meta:")),
        };
        if is_purged {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{keys:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_queue_starts_a_task_at_once() {
    let servers = shared().await;
    let url = servers.redis.url(PASSWORD, servers.next_database());
    let queue = RedisNotifier::open(&url, &identity()).unwrap();
    let mut consumer = Consumer::start("one", NotificationBackend::Redis(queue.clone()));
    queue.notify(&ids(1..=1), 10);
    consumer.next().await;
    let mut took = Vec::new();
    for n in 0..200 {
        // A different time between two polls in each round.
        tokio::time::sleep(Duration::from_micros(25_000 + n * 97)).await;
        let began = Instant::now();
        queue.notify(&ids(2..=2), 10);
        assert_eq!(consumer.next().await, notification_of(2));
        took.push(began.elapsed());
    }
    took.sort_unstable();
    println!(
        "an idle queue starts a task after {:?} (median of 200), {:?} (worst)",
        took[100], took[199]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_payload_is_reported_and_the_consumer_survives() {
    let servers = shared().await;
    let database = servers.next_database();
    let queue = RedisNotifier::open(&servers.redis.url(PASSWORD, database), &identity()).unwrap();
    let mut consumer = Consumer::start("one", NotificationBackend::Redis(queue.clone()));
    queue.notify(&ids(1..=1), 10);
    assert_eq!(consumer.next().await, notification_of(1));
    for payload in ["{\"foreign\": \"payload\"}", "", "-3"] {
        put(
            &servers.redis,
            database,
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            payload,
        );
        let received = consumer.next().await;
        assert_eq!(received, Notification::Foreign(payload.to_owned()));
        queue.purge().await.unwrap();
    }
    queue.notify(&ids(2..=2), 10);
    assert_eq!(consumer.next().await, notification_of(2));
    assert!(!consumer.has_ended());
}

/// Returns a key of the queue.
fn queue_key(name: &str) -> String {
    format!("{{balance:{IDENTITY}}}:steps:{name}")
}

/// Adds a task with raw commands.
fn put(redis: &Redis, database: u32, id: &str, payload: &str) {
    redis.command(database, &["HSET", &queue_key("data"), id, payload]);
    redis.command(
        database,
        &[
            "HSET",
            &queue_key(&format!("meta:{id}")),
            "attempts",
            "0",
            "max_attempts",
            "1",
            "status",
            "Pending",
        ],
    );
    redis.command(database, &["RPUSH", &queue_key("active"), id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ends_its_consumer_is_deleted() {
    let servers = shared().await;
    let database = servers.next_database();
    let queue = RedisNotifier::open(&servers.redis.url(PASSWORD, database), &identity()).unwrap();
    let consumer = Consumer::start("one", NotificationBackend::Redis(queue.clone()));
    // Without payload and metadata the consumer of apalis ends.
    servers
        .redis
        .command(database, &["RPUSH", &queue_key("active"), "nonsense"]);
    while !consumer.has_ended() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    queue.remove_consumer("one").await.unwrap();
    let left = keys(&servers.redis, database);
    assert_eq!(left, ["core:apalis:queues:list"], "{left:?}");
    let mut next = Consumer::start("two", NotificationBackend::Redis(queue.clone()));
    queue.notify(&ids(3..=3), 10);
    assert_eq!(next.next().await, notification_of(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_dead_consumers_are_deleted() {
    let servers = shared().await;
    let database = servers.next_database();
    let queue = RedisNotifier::open(&servers.redis.url(PASSWORD, database), &identity()).unwrap();
    // The keys of a process that was killed two minutes ago, with a task in progress.
    let redis = &servers.redis;
    let now: i64 = redis.command(database, &["TIME"])[0].parse().unwrap();
    let long_ago = (now - 120).to_string();
    redis.command(
        database,
        &["ZADD", &queue_key("workers"), &long_ago, "dead"],
    );
    redis.command(
        database,
        &["HSET", &queue_key("workers:metadata:dead"), "service", "x"],
    );
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    put(redis, database, id, "5");
    redis.command(database, &["DEL", &queue_key("active")]);
    redis.command(database, &["SADD", &queue_key("inflight:dead"), id]);
    // A consumer that is alive.
    redis.command(
        database,
        &["ZADD", &queue_key("workers"), &now.to_string(), "alive"],
    );
    queue.purge().await.unwrap();
    assert_eq!(keys(redis, database), [queue_key("workers")]);
    let left = redis.command(database, &["ZRANGE", &queue_key("workers"), "0", "-1"]);
    assert_eq!(left, ["alive"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_caller_waits_for_an_unavailable_server() {
    // A bound port without answers: a frozen server.
    let frozen = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}/0", frozen.local_addr().unwrap());
    let queue = RedisNotifier::open(&url, &identity()).unwrap();
    for _ in 0..1_000 {
        queue.notify(&ids(1..=10), 10);
    }
    queue.flush().await;
    assert!(matches!(
        queue.ping().await,
        Err(NotifierError::Unavailable(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_address_and_a_wrong_password_are_distinguished() {
    for url in [
        "",
        "redis",
        "http://127.0.0.1",
        "redis://a b:c",
        "mysql://127.0.0.1/0",
    ] {
        assert!(
            matches!(
                RedisNotifier::open(url, &identity()),
                Err(NotifierError::Unusable(_))
            ),
            "{url}"
        );
    }
    let servers = shared().await;
    let queue = RedisNotifier::open(&servers.redis.url("wrong", 0), &identity()).unwrap();
    let Err(NotifierError::Unusable(reason)) = queue.ping().await else {
        panic!("a wrong password was accepted");
    };
    assert!(!reason.contains("wrong"), "{reason}");
    let queue = RedisNotifier::open("redis://127.0.0.1:1/0", &identity()).unwrap();
    assert!(matches!(
        queue.ping().await,
        Err(NotifierError::Unavailable(_))
    ));
}
