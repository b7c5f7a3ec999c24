//! The Redis of the intake: its shards, and a server that is unavailable, full or not durable.

use crate::{
    playback::intake::{OWNER, RULES, bounded, created_stream, on_redis, opened, request},
    queue::notifier::shared,
};
use balance_redis::{RedisIntake, RedisStream};
use balance_service::{
    events::stream::EventStream,
    playback::intake::{Intake, IntakeError},
};
use balance_store::playback::{Command, IdempotencyKey, IntakeAnswer};
use balance_test_support::{
    servers::{PASSWORD, Redis, Servers},
    stream::{IDENTITY, identity},
};
use std::{collections::HashSet, sync::Arc};

/// Returns a key of a shard.
fn key(shard: u16, name: &str) -> String {
    format!("{{{IDENTITY}:u{shard}}}:{name}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_stays_on_one_shard_and_every_key_carries_its_tag() {
    let servers = shared().await;
    let database = servers.next_database();
    let intake = on_redis(&servers, database, 3, RULES).await;
    let keys = || servers.redis.command(database, &["KEYS", "*"]);
    // The owner's keys are those of a viewer too.
    for user in 1..=OWNER {
        for video in 1..=4 {
            for command in [Command::Play, Command::Pause { current_s: 10 }] {
                let mut request = request(user, video, command);
                request.key = IdempotencyKey::parse(&format!("{video} {command:?}"));
                intake.accept(request).await.unwrap();
            }
        }
    }
    let prefixes = [0, 1, 2].map(|shard| key(shard, ""));
    let keys = keys();
    for key in &keys {
        let is_of = |prefix: &String| key.starts_with(prefix);
        assert!(
            key == "balance:streams" || prefixes.iter().any(is_of),
            "{key}"
        );
    }
    for user in 1..=OWNER {
        let of_user = |key: &&String| {
            ["gate", "session", "answer"]
                .iter()
                .any(|name| key.contains(&format!(":{name}:{user}:")))
                || key.ends_with(&format!(":viewer:{user}"))
        };
        let shards: HashSet<&str> = keys
            .iter()
            .filter(of_user)
            .map(|key| key.split_once('}').unwrap().0)
            .collect();
        assert_eq!(shards.len(), 1, "user {user}: {shards:?}");
    }
    // The counts of a video are the sum over the shards.
    let (mut entries, mut views) = (0_u64, 0_u64);
    for shard in 0..3 {
        let number = |command: &[&str]| -> u64 {
            let reply = servers.redis.command(database, command);
            reply[0].parse().unwrap_or(0)
        };
        let of_shard = number(&["XLEN", &key(shard, "events")]);
        assert!(of_shard > 0, "shard {shard}");
        entries += of_shard;
        views += number(&["GET", &key(shard, "views:2")]);
    }
    assert_eq!(
        (entries, views),
        (9 * 4 * 2 - 4, 8),
        "the owner's plays do not count, and the owner's pauses are no events"
    );
    let stream = RedisStream::open(&servers.redis.url(PASSWORD, database), identity(), 3).unwrap();
    let read = stream.read("test", 100).await.unwrap();
    assert_eq!(read.len(), 68);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_backlog_rejects_requests_until_entries_are_acknowledged() {
    let servers = shared().await;
    let database = servers.next_database();
    let (stream, intake) = bounded(&servers, database, 5).await;
    let play = async |user| intake.accept(request(user, 1, Command::Play)).await;
    for user in 10..15 {
        play(user).await.unwrap();
    }
    let rejected = play(15).await;
    assert!(
        matches!(rejected, Err(IntakeError::Backlog { backlog: 5 })),
        "{rejected:?}"
    );
    let ids: Vec<_> = stream.read("test", 3).await.unwrap();
    assert!(play(15).await.is_err(), "delivered entries still wait");
    let ids: Vec<_> = ids.iter().map(|entry| entry.id).collect();
    stream.acknowledge(&ids).await.unwrap();
    for user in 15..18 {
        play(user).await.unwrap();
    }
    assert!(play(18).await.is_err());
    // A pause is rejected too, and the session stays unchanged.
    let pause = async || {
        let pause = request(10, 1, Command::Pause { current_s: 30 });
        intake.accept(pause).await
    };
    let rejected = pause().await;
    assert!(
        matches!(rejected, Err(IntakeError::Backlog { backlog: 5 })),
        "{rejected:?}"
    );
    let ids: Vec<_> = stream.read("test", 100).await.unwrap();
    let ids: Vec<_> = ids.iter().map(|entry| entry.id).collect();
    stream.acknowledge(&ids).await.unwrap();
    let paused = IntakeAnswer::Paused {
        credited_s: 30,
        is_finished: false,
    };
    assert_eq!(pause().await.unwrap(), paused);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bound_holds_while_redis_cannot_compute_the_lag() {
    let servers = shared().await;
    let database = servers.next_database();
    let (stream, intake) = bounded(&servers, database, 5).await;
    let play = async |user| intake.accept(request(user, 1, Command::Play)).await;
    stream.read("test", 1).await.unwrap();
    for user in 10..15 {
        play(user).await.unwrap();
    }
    // An entry that is not delivered is deleted, so that Redis cannot compute the lag.
    let entries = servers.redis.command(
        database,
        &["XRANGE", &key(0, "events"), "-", "+", "COUNT", "2"],
    );
    let second = entries.iter().filter(|line| line.contains('-')).nth(1);
    let deleted = ["XDEL", &key(0, "events"), second.unwrap()];
    assert_eq!(servers.redis.command(database, &deleted), ["1"]);
    play(15).await.unwrap();
    let rejected = play(16).await;
    assert!(
        matches!(rejected, Err(IntakeError::Backlog { backlog: 5 })),
        "{rejected:?}"
    );
    let ids: Vec<_> = stream.read("test", 100).await.unwrap();
    let ids: Vec<_> = ids.iter().map(|entry| entry.id).collect();
    stream.acknowledge(&ids).await.unwrap();
    play(16).await.unwrap();
}

#[test]
fn acknowledged_plays_survive_a_kill_of_the_server() {
    let redis = Redis::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let url = redis.url(PASSWORD, 0);
    let open = || opened(&url, 1, 1_000, RULES);
    runtime.block_on(created_stream(&url, 1));
    let intake = open().unwrap();
    let play = |user| runtime.block_on(intake.accept(request(user, 1, Command::Play)));
    for user in 10..60 {
        play(user).unwrap();
    }
    redis.daemon.kill();
    let unavailable = play(60);
    assert!(
        matches!(unavailable, Err(IntakeError::Unavailable(_))),
        "{unavailable:?}"
    );
    redis.daemon.restart();
    redis.until_ready();
    // The same adapter reconnects, and view windows and events have survived.
    let mut answer = play(10);
    while answer.is_err() {
        answer = play(10);
    }
    assert!(
        matches!(answer, Ok(IntakeAnswer::Repeat { .. })),
        "{answer:?}"
    );
    assert_eq!(redis.command(0, &["XLEN", &key(0, "events")]), ["50"]);
    // A frozen server causes a time-out.
    redis.daemon.signal("STOP");
    let frozen = play(61);
    redis.daemon.signal("CONT");
    assert!(
        matches!(frozen, Err(IntakeError::Unavailable(_))),
        "{frozen:?}"
    );
}

#[test]
fn a_server_that_is_not_durable_is_not_ready() {
    let redis = Redis::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let url = redis.url(PASSWORD, 0);
    let open = |url: &str| opened(url, 1, 1_000, RULES).unwrap();
    let readiness = |intake: &RedisIntake| {
        runtime
            .block_on(intake.readiness())
            .map_err(|error| error.to_string())
    };
    let intake = open(&url);
    let missing = readiness(&intake).unwrap_err();
    assert!(
        missing.contains(IDENTITY) && missing.contains("other databases: none"),
        "{missing}"
    );
    runtime.block_on(created_stream(&url, 1));
    assert_eq!(readiness(&intake), Ok(()));
    redis.command(0, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    assert!(readiness(&intake).is_err_and(|error| error.contains("allkeys-lru")));
    redis.command(0, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    redis.command(0, &["CONFIG", "SET", "appendonly", "no"]);
    assert!(readiness(&intake).is_err_and(|error| error.contains("appendonly")));
    redis.command(0, &["CONFIG", "SET", "appendonly", "yes"]);
    assert_eq!(readiness(&intake), Ok(()));
    // Servers that accept no writes, and why.
    redis.command(0, &["CONFIG", "SET", "min-replicas-to-write", "1"]);
    assert!(readiness(&intake).is_err_and(|error| error.contains("too few replicas")));
    redis.command(0, &["CONFIG", "SET", "min-replicas-to-write", "0"]);
    redis.command(0, &["REPLICAOF", "127.0.0.1", "1"]);
    assert!(readiness(&intake).is_err_and(|error| error.contains("Redis is a replica, not")));
    redis.command(0, &["REPLICAOF", "NO", "ONE"]);
    assert_eq!(readiness(&intake), Ok(()));
    let unauthorized = open(&redis.url("wrong", 0));
    assert!(
        readiness(&unauthorized)
            .is_err_and(|error| error.contains("rejected the user or password"))
    );
    let none = opened("http://x", 1, 1, RULES);
    assert!(matches!(none, Err(IntakeError::Unusable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn suppressed_plays_are_counted_by_day_video_and_reason() {
    let servers: Arc<Servers> = shared().await;
    let database = servers.next_database();
    let intake = on_redis(&servers, database, 1, RULES).await;
    for user in [1, 1, 1, OWNER] {
        intake
            .accept(request(user, 1, Command::Play))
            .await
            .unwrap();
    }
    let key = servers
        .redis
        .command(database, &["KEYS", &key(0, "refused:*")]);
    assert_eq!(key.len(), 1, "{key:?}");
    let counts = servers.redis.command(database, &["HGETALL", &key[0]]);
    assert_eq!(counts, ["1:repeat", "2", "1:own", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_reused_for_another_video_is_rejected_on_every_number_of_shards() {
    let servers = shared().await;
    for shards in [1, 2, 3, 8] {
        let database = servers.next_database();
        let intake = on_redis(&servers, database, shards, RULES).await;
        let accept = async |video, command| {
            let mut request = request(1, video, command);
            request.key = IdempotencyKey::parse("a");
            intake.accept(request).await.unwrap()
        };
        let first = accept(1, Command::Play).await;
        assert!(matches!(first, IntakeAnswer::Playing { .. }), "{first:?}");
        for video in 2..=9 {
            let pause = Command::Pause { current_s: 10 };
            for command in [Command::Play, pause] {
                let answer = accept(video, command).await;
                assert_eq!(answer, IntakeAnswer::KeyReused, "{shards} shards: {video}");
            }
        }
        assert_eq!(accept(1, Command::Play).await, first, "{shards} shards");
    }
}
