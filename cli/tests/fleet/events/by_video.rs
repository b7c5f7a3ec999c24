//! The rules of an upgrade from the layout by video, on a real Redis.

use crate::{
    events::stream::now_ms,
    playback::intake::{RULES, on_redis, opened, request},
    queue::notifier::shared,
};
use balance_redis::RedisStream;
use balance_service::{
    events::stream::{Closed, EventStream, Retired, StreamByVideo, StreamKind, StreamRepair},
    playback::intake::Intake,
};
use balance_store::{
    events::EntryId,
    playback::{Command, IdempotencyKey, IntakeAnswer},
};
use balance_test_support::{
    servers::{PASSWORD, Servers},
    stream::{IDENTITY, identity},
};
use std::{collections::BTreeSet, sync::Arc};

const SHARDS: u16 = 3;

/// Returns a key of the layout by video.
fn by_video(shard: u16, name: &str) -> String {
    format!("{{{IDENTITY}:s{shard}}}:{name}")
}

/// Returns a key of the layout by viewer.
fn by_viewer(shard: u16, name: &str) -> String {
    format!("{{{IDENTITY}:u{shard}}}:{name}")
}

/// A server with streams by video.
struct ByVideo {
    servers: Arc<Servers>,
    database: u32,
    stream: RedisStream,
}

impl ByVideo {
    async fn new() -> Self {
        let servers = shared().await;
        let database = servers.next_database();
        let url = servers.redis.url(PASSWORD, database);
        let stream = RedisStream::open(&url, identity(), SHARDS).unwrap();
        stream.create_by_video().await.unwrap();
        Self {
            servers,
            database,
            stream,
        }
    }

    fn command(&self, command: &[&str]) -> Vec<String> {
        self.servers.redis.command(self.database, command)
    }

    fn add(&self, shard: u16, id: &str) {
        let event = format!("{:032x}", rand::random::<u128>());
        self.command(&[
            "XADD",
            &by_video(shard, "events"),
            id,
            "id",
            &event,
            "kind",
            "play",
            "user",
            "1",
            "video",
            "1",
            "counted",
            "1",
        ]);
    }

    async fn read(&self) -> Vec<EntryId> {
        let entries = self.stream.read_by_video("one", 100).await.unwrap();
        entries.iter().map(|entry| entry.id).collect()
    }

    async fn acknowledge(&self, ids: &[EntryId]) {
        self.stream.acknowledge_by_video(ids).await.unwrap();
    }

    async fn retire(&self) -> Retired {
        self.stream.retire().await.unwrap()
    }

    /// Returns the shards whose stream by video was retired.
    async fn retired(&self) -> Vec<u16> {
        self.stream.found().await.unwrap().retired
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_retired_when_all_of_it_was_read_and_acknowledged() {
    let server = ByVideo::new().await;
    server.add(1, "5-0");
    assert_eq!(server.retire().await, Retired::Waiting, "unread");
    assert_eq!(server.retired().await, [0, 2], "those without entries");
    let ids = server.read().await;
    assert_eq!(ids.len(), 1, "a retired shard is skipped");
    assert_eq!(server.retire().await, Retired::Waiting, "not acknowledged");
    server.acknowledge(&ids).await;
    server.add(1, "6-0");
    assert_eq!(server.retire().await, Retired::Waiting, "another one");
    // Without a group no entry was persisted.
    server.command(&["XGROUP", "DESTROY", &by_video(1, "events"), "drain"]);
    assert_eq!(server.retire().await, Retired::Waiting, "no group");
    let ids = server.read().await;
    assert_eq!(ids.len(), 2);
    server.acknowledge(&ids).await;
    for _ in 0..2 {
        assert_eq!(server.retire().await, Retired::All);
        assert_eq!(server.retired().await, [0, 1, 2]);
    }
    assert_eq!(server.read().await, []);

    // A stream that an older process made again is not touched, and one that is lost is not ignored.
    server.add(1, "7-0");
    let Retired::Conflict(streams) = server.retire().await else {
        panic!("both streams exist");
    };
    for name in ["events", "retired"] {
        assert!(streams.contains(&by_video(1, name)), "{streams}");
    }
    server.command(&["DEL", &by_video(1, "events"), &by_video(1, "retired")]);
    let error = server.stream.retire().await.unwrap_err();
    assert!(error.to_string().contains("is missing"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_streams_by_viewer_continue_the_ids_of_those_by_video() {
    let server = ByVideo::new().await;
    let now_s: i64 = server.command(&["TIME"])[0].parse().unwrap();
    // The clock of the server has stepped back since then.
    let last_ms = (now_s + 120) * 1_000;
    for (shard, id) in [(0, "5-0".to_owned()), (2, format!("{last_ms}-7"))] {
        server.add(shard, &id);
    }
    let ids = server.read().await;
    server.acknowledge(&ids).await;
    assert_eq!(server.retire().await, Retired::All);
    for _ in 0..2 {
        server.stream.create().await.unwrap();
    }
    let closed = server.stream.close(last_ms, now_ms()).await.unwrap();
    assert_eq!(closed, Closed::Drained, "no play of the day can follow");
    let not_over = server.stream.close(last_ms + 1, now_ms()).await.unwrap();
    assert_eq!(not_over, Closed::NotOver);

    let url = server.servers.redis.url(PASSWORD, server.database);
    let intake = opened(&url, SHARDS, 10, RULES).unwrap();
    for user in 1..=9 {
        let answer = intake.accept(request(user, 1, Command::Play)).await;
        assert!(matches!(answer, Ok(IntakeAnswer::Playing { .. })));
    }
    let waiting = server.stream.waiting().await.unwrap();
    assert_eq!(waiting.iter().sum::<u64>(), 9, "Redis knows the lag");
    for entry in server.stream.read("one", 100).await.unwrap() {
        let id = (entry.id.ms, entry.id.sequence);
        assert!(id > (last_ms, 7), "{id:?}");
    }
    // A replay reads the retired entries, until they are trimmed.
    let retained = server.stream.retained().await.unwrap();
    let kinds = |kind| retained.iter().filter(|one| one.kind == kind).count();
    assert_eq!(kinds(StreamKind::Retired), 2);
    let of_first = server.stream.reread(retained[0], None, 10).await.unwrap();
    assert_eq!(of_first.len(), 1);
    server.stream.trim(last_ms).await.unwrap();
    assert_eq!(server.retired().await, [2], "the others are older");
    server.stream.trim(last_ms + 1).await.unwrap();
    assert_eq!(server.retired().await, [0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_of_the_clock_deletes_the_later_entries_of_retired_streams() {
    let server = ByVideo::new().await;
    let future_ms = now_ms() + 3 * 86_400_000;
    for (shard, id) in [(0, "5-0".to_owned()), (1, format!("{future_ms}-7"))] {
        server.add(shard, &id);
    }
    let before = server.stream.repair_clock(now_ms()).await.unwrap_err();
    assert!(before.to_string().contains("layout by video"), "{before}");
    let ids = server.read().await;
    server.acknowledge(&ids).await;
    assert_eq!(server.retire().await, Retired::All);
    server.stream.create().await.unwrap();
    for expected in [StreamRepair::Repaired(1), StreamRepair::Right] {
        let repaired = server.stream.repair_clock(now_ms()).await.unwrap();
        assert_eq!(repaired, expected);
    }
    let retained = server.stream.retained().await.unwrap();
    let newest: Vec<i64> = retained.iter().map(|one| one.newest.ms).collect();
    assert_eq!(newest, [5], "a replay reads no entry of the future");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_a_viewer_move_to_one_shard_and_of_two_replies_the_older_stays() {
    const USERS: i64 = 700;
    let server = ByVideo::new().await;
    let script = "for user = 1, tonumber(ARGV[1]) do \
                  redis.call('SET', KEYS[1] .. user .. ':9', '1', 'EX', 600) \
                  redis.call('HSET', KEYS[2] .. user .. ':9', 'position', user, 'since', 1, 'open', 1) \
                  redis.call('HSET', KEYS[3] .. user .. ':a', 'request', 'first') \
                  redis.call('EXPIRE', KEYS[3] .. user .. ':a', 600) \
                  redis.call('HSET', KEYS[4] .. user .. ':a', 'request', 'second') \
                  redis.call('EXPIRE', KEYS[4] .. user .. ':a', 700) end return 'OK'";
    let keys = [
        (1, "gate:"),
        (1, "session:"),
        (0, "answer:"),
        (2, "answer:"),
    ];
    let keys = keys.map(|(shard, name)| by_video(shard, name));
    let mut command = vec!["EVAL", script, "4"];
    command.extend(keys.iter().map(String::as_str));
    let users = USERS.to_string();
    command.push(&users);
    assert_eq!(server.command(&command), ["OK"]);
    server.command(&["SET", &by_video(2, "views:5"), "12"]);
    server.command(&["HSET", &by_video(1, "refused:2024-06-01"), "1:own", "3"]);
    server.command(&["SET", "{fedcba9876543210:s1}:gate:1:9", "1"]);
    assert_eq!(server.retire().await, Retired::All);
    let dropped = server.stream.move_keys().await.unwrap();
    assert_eq!(dropped, u64::try_from(USERS).unwrap());
    assert_eq!(server.stream.move_keys().await.unwrap(), 0, "repeated");

    let left: BTreeSet<String> = server.command(&["KEYS", "*:s?}:*"]).into_iter().collect();
    let expected = [
        by_video(0, "retired"),
        by_video(1, "refused:2024-06-01"),
        by_video(1, "retired"),
        by_video(2, "retired"),
        "{fedcba9876543210:s1}:gate:1:9".to_owned(),
    ];
    assert_eq!(left, BTreeSet::from(expected));
    assert_eq!(server.command(&["GET", &by_viewer(2, "views:5")]), ["12"]);
    let replies = server.command(&["KEYS", "*:answer:*"]);
    assert_eq!(replies.len(), 700);
    for reply in replies.iter().take(20) {
        assert_eq!(server.command(&["HGET", reply, "request"]), ["first"]);
        let ttl: u64 = server.command(&["TTL", reply])[0].parse().unwrap();
        assert!((500..=600).contains(&ttl), "{ttl}");
    }
    // The intake finds each window and session.
    let intake = on_redis(&server.servers, server.database, SHARDS, RULES).await;
    for user in [1, 2, 3, 350, 700] {
        let answer = intake.accept(request(user, 9, Command::Play)).await;
        assert!(matches!(answer, Ok(IntakeAnswer::Repeat { .. })), "{user}");
        let current_s = user + 10;
        let pause = request(user, 9, Command::Pause { current_s });
        let paused = IntakeAnswer::Paused {
            credited_s: 10,
            is_finished: false,
        };
        assert_eq!(intake.accept(pause).await.unwrap(), paused, "{user}");
        let mut with_key = request(user, 8, Command::Play);
        with_key.key = IdempotencyKey::parse("a");
        let answer = intake.accept(with_key).await.unwrap();
        assert_eq!(answer, IntakeAnswer::KeyReused, "{user}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_play_is_accepted_and_no_day_is_closed_before_the_upgrade() {
    let server = ByVideo::new().await;
    server.add(1, "5-0");
    let url = server.servers.redis.url(PASSWORD, server.database);
    let intake = opened(&url, SHARDS, 10, RULES).unwrap();
    let play = async || intake.accept(request(1, 1, Command::Play)).await;
    let not_ready = async || intake.readiness().await.unwrap_err().to_string();
    let close = async || server.stream.close(1_000, now_ms()).await;

    let reason = not_ready().await;
    let expected = [
        IDENTITY,
        "sharded by video",
        "1 entries wait in 3 of 3 shards",
    ];
    assert!(
        expected.iter().all(|part| reason.contains(part)),
        "{reason}"
    );
    assert!(play().await.is_err());
    let error = close().await.unwrap_err().to_string();
    assert!(error.contains("layout by video"), "{error}");
    let waiting = server.stream.waiting().await.unwrap();
    assert_eq!(waiting, [0, 1, 0], "the metric shows what is left");

    let ids = server.read().await;
    server.acknowledge(&ids).await;
    assert_eq!(server.retire().await, Retired::All);
    let reason = not_ready().await;
    assert!(reason.contains("during an upgrade a worker"), "{reason}");
    assert!(play().await.is_err() && close().await.is_err());

    server.stream.create().await.unwrap();
    intake.readiness().await.unwrap();
    play().await.unwrap();
    // An older process makes its streams again.
    server.add(2, "*");
    let reason = not_ready().await;
    assert!(reason.contains("older version"), "{reason}");
    assert!(close().await.is_err());
}
