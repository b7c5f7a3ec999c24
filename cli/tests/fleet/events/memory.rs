//! The memory of the stream's Redis: days close at its limit, and what is kept is bounded.

use crate::{
    env::TestEnv,
    events::stream::now_ms,
    playback::{
        intake::{RULES, bounded, opened, request},
        service::SECRET,
    },
    queue::notifier::shared,
    worker::Fleet,
};
use balance_domain::clock::{Clock, SystemClock};
use balance_redis::RedisStream;
use balance_service::{
    events::stream::{Closed, EventStream},
    playback::intake::{Intake, IntakeError},
};
use balance_store::{
    events::EntryId,
    playback::{Command, IntakeAnswer},
};
use balance_test_support::{
    process::{block_on, until},
    servers::{PASSWORD, Redis, Servers},
    stream::identity,
};
use chrono::Days;
use std::rc::Rc;

const STREAM: &str = "{0123456789abcdef:u0}:events";
/// The end of a day that is over.
const END_MS: i64 = 1_700_000_000_000;

async fn acknowledge_all(stream: &RedisStream) -> Vec<EntryId> {
    let entries = stream.read("one", 100).await.unwrap();
    let ids: Vec<EntryId> = entries.iter().map(|entry| entry.id).collect();
    stream.acknowledge(&ids).await.unwrap();
    ids
}

#[test]
fn a_day_is_persisted_and_closed_by_a_redis_without_memory() {
    let redis = Redis::start();
    let add = |key: &str| {
        let id = format!("{}-0", END_MS - 1);
        redis.command(0, &["XADD", key, &id, "seal", "0"]);
    };
    add(STREAM);
    add("{0123456789abcdef:u2}:events");
    add("{0123456789abcdef:u1}:events");
    redis.command(0, &["CONFIG", "SET", "maxmemory", "1mb"]);
    let intake = |url: &str| opened(url, 3, 1_000, RULES).unwrap();
    block_on(async {
        let url = redis.url(PASSWORD, 0);
        let refused = intake(&url).accept(request(1, 3, Command::Play)).await;
        assert!(
            matches!(
                refused,
                Err(IntakeError::NotWritable("Redis is out of memory"))
            ),
            "{refused:?}"
        );
        // No shard has a group yet.
        let stream = RedisStream::open(&url, identity(), 3).unwrap();
        assert_eq!(
            stream.close(END_MS, now_ms()).await.unwrap(),
            Closed::Waiting
        );
        let before_the_seals = |id: &&EntryId| id.ms < END_MS;
        let ids = acknowledge_all(&stream).await;
        assert_eq!(ids.iter().filter(before_the_seals).count(), 3);
        assert_eq!(
            stream.close(END_MS, now_ms()).await.unwrap(),
            Closed::Drained
        );
        // A read creates a group too.
        redis.command(0, &["XGROUP", "DESTROY", STREAM, "drain"]);
        acknowledge_all(&stream).await;
        let memory = stream.memory().await.unwrap();
        assert_eq!(memory.max_bytes, 1 << 20);
        assert!(memory.used_bytes > memory.max_bytes, "{memory:?}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_are_persisted_never_count_as_waiting() {
    let servers = shared().await;
    let database = servers.next_database();
    let (stream, intake) = bounded(&servers, database, 5).await;
    let play = async |user| intake.accept(request(user, 1, Command::Play)).await;
    // More persisted entries than may wait.
    for user in 10..20 {
        play(user).await.unwrap();
        acknowledge_all(&stream).await;
    }
    play(20).await.unwrap();
    play(21).await.unwrap();
    let newest = servers
        .redis
        .command(database, &["XREVRANGE", STREAM, "+", "-", "COUNT", "1"]);
    let deleted = ["XDEL", STREAM, newest[0].as_str()];
    assert_eq!(servers.redis.command(database, &deleted), ["1"]);
    assert_eq!(stream.waiting().await.unwrap(), [1], "one unread entry");
    // The last entry is deleted, so that the group can never read it.
    acknowledge_all(&stream).await;
    assert_eq!(stream.waiting().await.unwrap(), [0]);
    for user in 30..35 {
        play(user).await.unwrap();
    }
    let rejected = play(35).await;
    assert!(
        matches!(rejected, Err(IntakeError::Backlog { backlog: 5 })),
        "{rejected:?}"
    );
    // The same while the group is in the middle, for a pause too.
    let entries = servers
        .redis
        .command(database, &["XREVRANGE", STREAM, "+", "-", "COUNT", "1"]);
    let deleted = ["XDEL", STREAM, entries[0].as_str()];
    assert_eq!(servers.redis.command(database, &deleted), ["1"]);
    until("the unread entries to be counted again", || {
        servers
            .redis
            .command(database, &["EXISTS", "{0123456789abcdef:u0}:lag-check"])
            == ["0"]
    });
    let pause = request(30, 1, Command::Pause { current_s: 1 });
    let paused = intake.accept(pause).await;
    assert!(
        matches!(paused, Ok(IntakeAnswer::Paused { .. })),
        "{paused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_session_is_deleted() {
    let servers = shared().await;
    let database = servers.next_database();
    let (_stream, intake) = bounded(&servers, database, 100).await;
    let play = request(1, 1, Command::Play);
    let duration_s = play.video.duration_s;
    intake.accept(play).await.unwrap();
    let session = || {
        servers
            .redis
            .command(database, &["EXISTS", "{0123456789abcdef:u0}:session:1:1"])
    };
    assert_eq!(session(), ["1"]);
    let end = request(
        1,
        1,
        Command::Pause {
            current_s: duration_s,
        },
    );
    let ended = intake.accept(end).await;
    assert!(
        matches!(
            ended,
            Ok(IntakeAnswer::Paused {
                is_finished: true,
                ..
            })
        ),
        "{ended:?}"
    );
    assert_eq!(session(), ["0"]);
}

#[test]
fn saved_suppressed_counts_are_kept_for_two_days() {
    const TWO_DAYS_S: u64 = 172_800;
    let servers = Servers::shared();
    let env = TestEnv::new(&servers).with("JWT_SECRET", SECRET);
    let env = Rc::new(env);
    let today = SystemClock.now().date();
    let identity = env.identity();
    let key = |days: u64| format!("{{{identity}:u0}}:refused:{}", today - Days::new(days));
    let command = |command: &[&str]| servers.redis.command(env.number, command);
    let ttl = |days: u64| -> u64 { command(&["TTL", &key(days)])[0].parse().unwrap() };
    for days in [0, 5] {
        command(&["HSET", &key(days), "7:repeat", "3"]);
        command(&["EXPIRE", &key(days), "7776000"]);
    }
    let fleet = Fleet::start(&env, 1);
    until("the counts of a past day to expire", || {
        ttl(5) <= TWO_DAYS_S
    });
    let saved = env
        .database
        .rows("SELECT video_id, reason, count FROM refusal_count ORDER BY date");
    assert_eq!(saved[0], "7|repeat|3", "saved before");
    assert!(ttl(0) > TWO_DAYS_S, "today's counts can still change");
    fleet.end();
}
