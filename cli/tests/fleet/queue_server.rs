//! The queue's server: what it is left with after many tasks, foreign ones and dead consumers, how
//! soon it starts one, and what happens when it is not there.

use crate::{
    queue::{Consumer, ids, ring_of, shared},
    servers::{PASSWORD, Redis},
};
use balance_redis::{Notification, RedisNotifier};
use balance_service::jobs::notifier::{Notifier, NotifierError};
use balance_worker::queue::NotificationBackend;
use std::time::{Duration, Instant};

const TASKS: usize = 100_000;
const MEBIBYTE: u64 = 1 << 20;

fn memory(redis: &Redis) -> u64 {
    // Otherwise the server's own free pages count as used.
    redis.ask(0, &["MEMORY", "PURGE"]);
    redis
        .ask(0, &["INFO", "memory"])
        .iter()
        .find_map(|line| line.strip_prefix("used_memory:"))
        .and_then(|bytes| bytes.trim().parse().ok())
        .expect("used_memory")
}

fn keys(redis: &Redis, env: u32) -> Vec<String> {
    let mut keys = redis.ask(env, &["KEYS", "*"]);
    keys.sort_unstable();
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_tasks_leave_nothing_behind() {
    let redis = tokio::task::spawn_blocking(Redis::start).await.unwrap();
    // What is measured is what is left, not how soon it is on the disk.
    redis.ask(0, &["CONFIG", "SET", "appendfsync", "no"]);
    let queue = RedisNotifier::open(&redis.url(PASSWORD, 0)).unwrap();
    let mut consumer = Consumer::start("one", NotificationBackend::Redis(queue.clone()));
    // Once before, so that the keys that stay, and the scripts, are there.
    queue.notify(&ids(1..=100), 1_000);
    for _ in 0..100 {
        consumer.next().await;
    }
    until_tidy(&queue, &redis, None).await;
    let (keys_before, memory_before) = (keys(&redis, 0), memory(&redis));

    let began = Instant::now();
    let (mut heard, mut most_waiting) = (0, 0);
    while heard < TASKS {
        queue.notify(&ids(1..=500), 500);
        queue.flush().await;
        most_waiting = most_waiting.max(queue.waiting().await.unwrap());
        while queue.waiting().await.unwrap() > 0 {
            consumer.next().await;
            heard += 1;
        }
        queue.tidy().await.unwrap();
    }
    println!("{heard} tasks in {:?}", began.elapsed());
    assert!(most_waiting <= 500, "{most_waiting}");
    until_tidy(&queue, &redis, Some(&keys_before)).await;
    let grown = memory(&redis).saturating_sub(memory_before);
    println!("memory grown by {grown} bytes");
    assert!(grown < MEBIBYTE, "{grown} bytes more than before");
}

/// Tidies until the keys are those expected, or, at first, until no task is left.
async fn until_tidy(queue: &RedisNotifier, redis: &Redis, expected: Option<&[String]>) {
    let began = Instant::now();
    loop {
        queue.tidy().await.unwrap();
        let keys = keys(redis, 0);
        let is_tidy = match expected {
            Some(expected) => keys == expected,
            None => !keys.iter().any(|key| key.contains(":meta:")),
        };
        if is_tidy {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{keys:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_queue_starts_a_task_at_once() {
    let servers = shared().await;
    let url = servers.redis.url(PASSWORD, servers.next_place());
    let queue = RedisNotifier::open(&url).unwrap();
    let mut consumer = Consumer::start("one", NotificationBackend::Redis(queue.clone()));
    queue.notify(&ids(1..=1), 10);
    consumer.next().await;
    let mut took = Vec::new();
    for n in 0..200 {
        // Somewhere else between two polls each time.
        tokio::time::sleep(Duration::from_micros(25_000 + n * 97)).await;
        let began = Instant::now();
        queue.notify(&ids(2..=2), 10);
        assert_eq!(consumer.next().await, ring_of(2));
        took.push(began.elapsed());
    }
    took.sort_unstable();
    println!(
        "an idle queue starts a task after {:?} (median of 200), {:?} (worst)",
        took[100], took[199]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_payload_is_told_and_the_consumer_lives() {
    let servers = shared().await;
    let env = servers.next_place();
    let queue = RedisNotifier::open(&servers.redis.url(PASSWORD, env)).unwrap();
    let mut consumer = Consumer::start("one", NotificationBackend::Redis(queue.clone()));
    queue.notify(&ids(1..=1), 10);
    assert_eq!(consumer.next().await, ring_of(1));
    for payload in ["{\"not\": \"ours\"}", "", "-3"] {
        put(&servers.redis, env, "01ARZ3NDEKTSV4RRFFQ69G5FAV", payload);
        let heard = consumer.next().await;
        assert_eq!(heard, Notification::Foreign(payload.to_owned()));
        queue.tidy().await.unwrap();
    }
    queue.notify(&ids(2..=2), 10);
    assert_eq!(consumer.next().await, ring_of(2));
    assert!(!consumer.has_ended());
}

/// Puts a task into the queue as any client can.
fn put(redis: &Redis, env: u32, id: &str, payload: &str) {
    redis.ask(env, &["HSET", "{balance}:steps:data", id, payload]);
    redis.ask(
        env,
        &[
            "HSET",
            &format!("{{balance}}:steps:meta:{id}"),
            "attempts",
            "0",
            "max_attempts",
            "1",
            "status",
            "Pending",
        ],
    );
    redis.ask(env, &["RPUSH", "{balance}:steps:active", id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ends_its_consumer_goes_with_it() {
    let servers = shared().await;
    let env = servers.next_place();
    let queue = RedisNotifier::open(&servers.redis.url(PASSWORD, env)).unwrap();
    let consumer = Consumer::start("one", NotificationBackend::Redis(queue.clone()));
    // No payload, no metadata: the crate's consumer ends on it.
    servers
        .redis
        .ask(env, &["RPUSH", "{balance}:steps:active", "nonsense"]);
    while !consumer.has_ended() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    queue.forget("one").await.unwrap();
    let left = keys(&servers.redis, env);
    assert_eq!(left, ["core:apalis:queues:list"], "{left:?}");
    let mut next = Consumer::start("two", NotificationBackend::Redis(queue.clone()));
    queue.notify(&ids(3..=3), 10);
    assert_eq!(next.next().await, ring_of(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dead_consumers_left_is_tidied_up() {
    let servers = shared().await;
    let env = servers.next_place();
    let queue = RedisNotifier::open(&servers.redis.url(PASSWORD, env)).unwrap();
    // As a process that was killed two minutes ago leaves it, a task in its hands.
    let redis = &servers.redis;
    let now: i64 = redis.ask(env, &["TIME"])[0].parse().unwrap();
    let long_ago = (now - 120).to_string();
    redis.ask(env, &["ZADD", "{balance}:steps:workers", &long_ago, "dead"]);
    redis.ask(
        env,
        &[
            "HSET",
            "{balance}:steps:workers:metadata:dead",
            "service",
            "x",
        ],
    );
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    put(redis, env, id, "5");
    redis.ask(env, &["DEL", "{balance}:steps:active"]);
    redis.ask(env, &["SADD", "{balance}:steps:inflight:dead", id]);
    // And one that lives.
    redis.ask(
        env,
        &["ZADD", "{balance}:steps:workers", &now.to_string(), "alive"],
    );
    queue.tidy().await.unwrap();
    assert_eq!(keys(redis, env), ["{balance}:steps:workers"]);
    let left = redis.ask(env, &["ZRANGE", "{balance}:steps:workers", "0", "-1"]);
    assert_eq!(left, ["alive"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_server_that_is_away() {
    // Bound and never answered: a server that is frozen.
    let frozen = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}/0", frozen.local_addr().unwrap());
    let queue = RedisNotifier::open(&url).unwrap();
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
async fn an_address_that_is_none_and_a_wrong_password_are_told_apart() {
    for url in [
        "",
        "redis",
        "http://127.0.0.1",
        "redis://a b:c",
        "mysql://127.0.0.1/0",
    ] {
        assert!(
            matches!(RedisNotifier::open(url), Err(NotifierError::Unusable(_))),
            "{url}"
        );
    }
    let servers = shared().await;
    let queue = RedisNotifier::open(&servers.redis.url("wrong", 0)).unwrap();
    let Err(NotifierError::Unusable(reason)) = queue.ping().await else {
        panic!("let in with a wrong password");
    };
    assert!(!reason.contains("wrong"), "{reason}");
    let queue = RedisNotifier::open("redis://127.0.0.1:1/0").unwrap();
    assert!(matches!(
        queue.ping().await,
        Err(NotifierError::Unavailable(_))
    ));
}
