//! The queue's server: what it is left with after many tasks, foreign ones and dead consumers, how
//! soon it starts one, and what happens when it is not there.

use crate::{
    queue::{Consumer, ids, ring_of, shared},
    servers::{PASSWORD, Redis},
};
use balance_redis::{RedisQueue, Ring};
use balance_service::jobs::notifier::{Queue, QueueError};
use balance_worker::queue::QueueBackend;
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

fn keys(redis: &Redis, place: u32) -> Vec<String> {
    let mut keys = redis.ask(place, &["KEYS", "*"]);
    keys.sort_unstable();
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_tasks_leave_nothing_behind() {
    let redis = tokio::task::spawn_blocking(Redis::start).await.unwrap();
    // What is measured is what is left, not how soon it is on the disk.
    redis.ask(0, &["CONFIG", "SET", "appendfsync", "no"]);
    let queue = RedisQueue::open(&redis.url(PASSWORD, 0)).unwrap();
    let mut consumer = Consumer::start("one", QueueBackend::Redis(queue.clone()));
    // Once before, so that the keys that stay, and the scripts, are there.
    queue.ring(&ids(1..=100), 1_000);
    for _ in 0..100 {
        consumer.next().await;
    }
    until_tidy(&queue, &redis, None).await;
    let (keys_before, memory_before) = (keys(&redis, 0), memory(&redis));

    let began = Instant::now();
    let (mut heard, mut most_waiting) = (0, 0);
    while heard < TASKS {
        queue.ring(&ids(1..=500), 500);
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
async fn until_tidy(queue: &RedisQueue, redis: &Redis, expected: Option<&[String]>) {
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
    let queue = RedisQueue::open(&url).unwrap();
    let mut consumer = Consumer::start("one", QueueBackend::Redis(queue.clone()));
    queue.ring(&ids(1..=1), 10);
    consumer.next().await;
    let mut took = Vec::new();
    for n in 0..200 {
        // Somewhere else between two polls each time.
        tokio::time::sleep(Duration::from_micros(25_000 + n * 97)).await;
        let began = Instant::now();
        queue.ring(&ids(2..=2), 10);
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
    let place = servers.next_place();
    let queue = RedisQueue::open(&servers.redis.url(PASSWORD, place)).unwrap();
    let mut consumer = Consumer::start("one", QueueBackend::Redis(queue.clone()));
    queue.ring(&ids(1..=1), 10);
    assert_eq!(consumer.next().await, ring_of(1));
    for payload in ["{\"not\": \"ours\"}", "", "-3"] {
        put(&servers.redis, place, "01ARZ3NDEKTSV4RRFFQ69G5FAV", payload);
        let heard = consumer.next().await;
        assert_eq!(heard, Ring::Foreign(payload.to_owned()));
        queue.tidy().await.unwrap();
    }
    queue.ring(&ids(2..=2), 10);
    assert_eq!(consumer.next().await, ring_of(2));
    assert!(!consumer.has_ended());
}

/// Puts a task into the queue as any client can.
fn put(redis: &Redis, place: u32, id: &str, payload: &str) {
    redis.ask(place, &["HSET", "{balance}:steps:data", id, payload]);
    redis.ask(
        place,
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
    redis.ask(place, &["RPUSH", "{balance}:steps:active", id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ends_its_consumer_goes_with_it() {
    let servers = shared().await;
    let place = servers.next_place();
    let queue = RedisQueue::open(&servers.redis.url(PASSWORD, place)).unwrap();
    let consumer = Consumer::start("one", QueueBackend::Redis(queue.clone()));
    // No payload, no metadata: the crate's consumer ends on it.
    servers
        .redis
        .ask(place, &["RPUSH", "{balance}:steps:active", "nonsense"]);
    while !consumer.has_ended() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    queue.forget("one").await.unwrap();
    let left = keys(&servers.redis, place);
    assert_eq!(left, ["core:apalis:queues:list"], "{left:?}");
    let mut next = Consumer::start("two", QueueBackend::Redis(queue.clone()));
    queue.ring(&ids(3..=3), 10);
    assert_eq!(next.next().await, ring_of(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dead_consumers_left_is_tidied_up() {
    let servers = shared().await;
    let place = servers.next_place();
    let queue = RedisQueue::open(&servers.redis.url(PASSWORD, place)).unwrap();
    // As a process that was killed two minutes ago leaves it, a task in its hands.
    let redis = &servers.redis;
    let now: i64 = redis.ask(place, &["TIME"])[0].parse().unwrap();
    let long_ago = (now - 120).to_string();
    redis.ask(
        place,
        &["ZADD", "{balance}:steps:workers", &long_ago, "dead"],
    );
    redis.ask(
        place,
        &[
            "HSET",
            "{balance}:steps:workers:metadata:dead",
            "service",
            "x",
        ],
    );
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    put(redis, place, id, "5");
    redis.ask(place, &["DEL", "{balance}:steps:active"]);
    redis.ask(place, &["SADD", "{balance}:steps:inflight:dead", id]);
    // And one that lives.
    redis.ask(
        place,
        &["ZADD", "{balance}:steps:workers", &now.to_string(), "alive"],
    );
    queue.tidy().await.unwrap();
    assert_eq!(keys(redis, place), ["{balance}:steps:workers"]);
    let left = redis.ask(place, &["ZRANGE", "{balance}:steps:workers", "0", "-1"]);
    assert_eq!(left, ["alive"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_server_that_is_away() {
    // Bound and never answered: a server that is frozen.
    let frozen = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}/0", frozen.local_addr().unwrap());
    let queue = RedisQueue::open(&url).unwrap();
    for _ in 0..1_000 {
        queue.ring(&ids(1..=10), 10);
    }
    queue.flush().await;
    assert!(matches!(queue.ping().await, Err(QueueError::Away(_))));
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
            matches!(RedisQueue::open(url), Err(QueueError::Unusable(_))),
            "{url}"
        );
    }
    let servers = shared().await;
    let queue = RedisQueue::open(&servers.redis.url("wrong", 0)).unwrap();
    let Err(QueueError::Unusable(reason)) = queue.ping().await else {
        panic!("let in with a wrong password");
    };
    assert!(!reason.contains("wrong"), "{reason}");
    let queue = RedisQueue::open("redis://127.0.0.1:1/0").unwrap();
    assert!(matches!(queue.ping().await, Err(QueueError::Away(_))));
}
