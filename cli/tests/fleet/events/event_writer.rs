//! The event writer in real workers: each event is settled once despite crashes, and no day is
//! closed while the stream is unavailable.

use crate::{
    env::TestEnv,
    events::stream::now_ms,
    plays,
    worker::{Fleet, Worker},
};
use balance_domain::clock::SystemClock;
use balance_redis::RedisStream;
use balance_service::events::stream::{Closed, EventStream};
use balance_store::{
    Store,
    events::{Entry, EntryId, WrittenEntries},
    settlement::Closing,
};
use balance_test_support::{
    process::{block_on, until},
    servers::{PASSWORD, Servers},
};
use std::sync::Arc;

const DAY: &str = "2024-03-30";
/// The begin of the next day (Seoul), in milliseconds since 1970 (UTC).
const NEXT_DAY_MS: i64 = 1_711_810_800_000;
const EVENTS: usize = 6_000;

/// Appends views of the next day to the stream, each of another user.
fn fill(env: &TestEnv) {
    let script = "for n = 1, tonumber(ARGV[2]) do \
                  redis.call('XADD', KEYS[1], (tonumber(ARGV[1]) + n) .. '-0', \
                  'id', string.format('%032x', n), 'kind', 'play', 'user', tostring(10000 + n), \
                  'video', tostring(1 + n % 50), 'counted', '1') end return 'OK'";
    let (first, count) = (NEXT_DAY_MS.to_string(), EVENTS.to_string());
    let added = env.servers.redis.command(
        env.number,
        &["EVAL", script, "1", &env.stream(0), &first, &count],
    );
    assert_eq!(added, ["OK"]);
}

#[test]
fn events_are_settled_once_despite_killed_workers() {
    let env = TestEnv::new(&Servers::shared()).with("LEASE_S", 2);
    env.import(&plays::day(DAY, 50));
    fill(&env);
    let mut fleet = Fleet::start(&env, 2);
    let written = "SELECT COUNT(*) FROM play_history WHERE date = '2024-03-31'";
    until("some events to be written", || {
        env.database.number(written) > 0
    });
    fleet.workers.remove(0).kill();
    eprintln!(
        "a worker was killed when {} of {EVENTS} events were written",
        env.database.number(written)
    );
    let again = env.balance(&["worker"]);
    fleet.workers.push(Worker::start(&env, again));
    env.until_settled(2, "both days");
    fleet.end();
    env.assert_all_complete(2, "both days");
    assert_eq!(env.database.value(written), EVENTS.to_string());
    let views = "SELECT SUM(view_count) FROM video_statistics WHERE date = '2024-03-31'";
    assert_eq!(env.database.value(views), EVENTS.to_string());
    for table in ["late_event", "rejected_event"] {
        let all = format!("SELECT COUNT(*) FROM {table}");
        assert_eq!(env.database.value(&all), "0", "{table}");
    }
    env.balance(&["verify"]).run().succeeded();

    // A late event and a foreign entry do not count.
    let redis = &env.servers.redis;
    let redis_command = |command: &[&str]| redis.command(env.number, command);
    let stream = env.stream(0);
    redis_command(&["DEL", &stream]);
    let late = (NEXT_DAY_MS + 1).to_string();
    let id = "f".repeat(32);
    redis_command(&[
        "XADD", &stream, &late, "id", &id, "kind", "play", "user", "1", "video", "1", "counted",
        "1",
    ]);
    redis_command(&["XADD", &stream, "*", "foreign", "field"]);
    let fleet = Fleet::start(&env, 1);
    until("both dead letters", || {
        let of = |table: &str| env.database.value(&format!("SELECT COUNT(*) FROM {table}"));
        of("late_event") == "1" && of("rejected_event") == "1"
    });
    fleet.end();
    assert_eq!(env.database.value(written), EVENTS.to_string());
}

#[test]
fn no_day_is_closed_while_the_stream_is_unavailable() {
    let servers = Servers::start();
    let env = TestEnv::new(&servers)
        .with("LEASE_S", 2)
        .with("CLOSE_TIMEOUT_S", 3_600);
    let fleet = Fleet::start(&env, 1);
    env.import(&plays::day(DAY, 50));
    servers.redis.daemon.kill();
    let launched = env.balance(&["jobs", "launch", "--date", DAY]).run();
    launched.succeeded();
    let worker = &fleet.workers[0];
    until("attempts of closeDayStep", || {
        let versions = "SELECT VERSION FROM BATCH_STEP_EXECUTION WHERE STEP_NAME = 'closeDayStep'";
        let version = env.database.rows(versions);
        version
            .first()
            .is_some_and(|version| version.parse::<u64>().is_ok_and(|version| version >= 4))
    });
    let closed = "SELECT COALESCE(date, 'open') FROM closed_through";
    assert_eq!(env.database.value(closed), "open");
    assert!(
        worker.stderr().contains("unavailable"),
        "{}",
        worker.stderr()
    );
    servers.redis.daemon.restart();
    env.until_settled(1, "after the return of the stream");
    fleet.end();
    env.assert_all_complete(1, "after the return of the stream");

    // The attempts have a time limit.
    env.reset_settlements();
    let env = env.with("CLOSE_TIMEOUT_S", 1);
    let fleet = Fleet::start(&env, 1);
    env.until_settled(1, "with a limit that is not reached");
    env.reset_settlements();
    servers.redis.daemon.kill();
    env.balance(&["jobs", "launch", "--date", DAY])
        .run()
        .succeeded();
    let reason = "SELECT EXIT_MESSAGE FROM BATCH_JOB_EXECUTION WHERE STATUS = 'FAILED'";
    until("the limit to be reached", || {
        !env.database.rows(reason).is_empty()
    });
    let reason = env.database.value(reason);
    assert!(reason.contains("not closed within 1 s"), "{reason}");
    fleet.end();
    // A day of a fleet is not settled without the stream.
    let alone = env.without("REDIS_URL");
    let alone = alone.balance(&["settle", "--date", DAY]).run();
    alone.failed(&["REDIS_URL"]);
}

#[test]
fn a_slow_event_writer_beside_its_successor_writes_nothing_twice_and_nothing_late() {
    const END_MS: i64 = NEXT_DAY_MS + 86_400_000;
    let env = TestEnv::new(&Servers::shared());
    fill(&env);
    let redis = &env.servers.redis;
    let (identity, of_shard) = (env.identity().parse().unwrap(), env.stream(0));
    block_on(async {
        let url = redis.url(PASSWORD, env.number);
        let stream = RedisStream::open(&url, identity, 1).unwrap();
        let clock = Arc::new(SystemClock);
        let store = Store::open_mysql(&env.database.url, 4, 15, clock).await;
        let store = store.unwrap();
        let write = async |entries: &[Entry]| {
            let zone = "Asia/Seoul".parse().unwrap();
            store.write_entries(entries, zone).await.unwrap()
        };
        let ids =
            |entries: &[Entry]| -> Vec<EntryId> { entries.iter().map(|one| one.id).collect() };
        let slow = stream.read("slow", 500).await.unwrap();
        assert_eq!(slow.len(), 500);
        assert_eq!(
            stream.close(END_MS, now_ms()).await.unwrap(),
            Closed::Waiting
        );

        // The slow event writer counts as dead, and its successor continues.
        let all: Vec<String> = slow
            .iter()
            .map(|entry| format!("{}-{}", entry.id.ms, entry.id.sequence))
            .collect();
        let mut claim = vec!["XCLAIM", &of_shard, "drain", "slow", "0"];
        claim.extend(all.iter().map(String::as_str));
        claim.extend(["IDLE", "60000"]);
        redis.command(env.number, &claim);
        loop {
            let group = stream.read("successor", 500).await.unwrap();
            if group.is_empty() {
                break;
            }
            if group[0].id.ms < END_MS {
                assert_eq!(
                    stream.close(END_MS, now_ms()).await.unwrap(),
                    Closed::Waiting
                );
            }
            let drained = write(&group).await;
            assert_eq!((drained.known, drained.late), (0, 0));
            stream.acknowledge(&ids(&group)).await.unwrap();
        }
        assert_eq!(
            stream.close(END_MS, now_ms()).await.unwrap(),
            Closed::Drained
        );
        let day = "2024-03-31".parse().unwrap();
        assert_eq!(store.close_day(day).await.unwrap(), Closing::Closed);

        // The slow event writer continues after the close of the day.
        let drained = write(&slow).await;
        let known = WrittenEntries {
            known: 500,
            ..WrittenEntries::default()
        };
        assert_eq!(drained, known);
        stream.acknowledge(&ids(&slow)).await.unwrap();
        assert_eq!(
            stream.close(END_MS, now_ms()).await.unwrap(),
            Closed::Drained
        );
        store.close().await;
    });
    let rows = "SELECT COUNT(*) FROM play_history";
    assert_eq!(env.database.value(rows), EVENTS.to_string());
    assert_eq!(env.database.number("SELECT COUNT(*) FROM late_event"), 0);
}
