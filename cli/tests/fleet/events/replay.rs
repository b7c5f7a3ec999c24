//! `balance events replay`: writes the events of the stream into a restored database, each once.

use crate::{
    env::TestEnv,
    events::stream::now_ms,
    playback::service::{SECRET, api},
    worker::Fleet,
};
use balance_test_support::{
    http::Client,
    process::{block_on, free_port, until},
    servers::{PASSWORD, Servers},
};
use std::{rc::Rc, sync::Arc};

const SHARDS: u16 = 3;
/// The tables that a replay may add to, each with its columns in the order of its key.
const TABLES: [(&str, &str); 5] = [
    (
        "play_history",
        "date, HEX(event_id), video_id, user_id, occurred_at_micros, counted, play_time, \
         reported_time, rules_version",
    ),
    ("ad_history", "date, video_id, user_id, slot_s, ad_id"),
    (
        "late_event",
        "HEX(event_id), date, video_id, user_id, occurred_at_micros, counted, play_time, \
         reported_time, received_at",
    ),
    (
        "rejected_event",
        "shard, entry_ms, entry_sequence, payload, reason, rejected_at",
    ),
    ("closed_through", "id, date"),
];
/// The begins of 2024-03-31 (Seoul) and of the next day, in milliseconds since 1970 (UTC).
const DAY_MS: i64 = 1_711_810_800_000;
const NEXT_DAY_MS: i64 = DAY_MS + 86_400_000;

/// Returns all rows of the tables.
fn tables(env: &TestEnv) -> Vec<String> {
    let of_table = |(table, columns): (&str, &str)| {
        let rows = format!("SELECT {columns} FROM {table} ORDER BY {columns}");
        let rows = env.database.rows(&rows);
        let named = rows.into_iter().map(move |row| format!("{table}|{row}"));
        named.collect::<Vec<_>>()
    };
    TABLES.into_iter().flat_map(of_table).collect()
}

/// Returns all entries of the streams, and the state of the consumer groups.
fn streams(env: &TestEnv) -> Vec<String> {
    (0..SHARDS)
        .flat_map(|shard| {
            let key = env.stream(shard);
            let redis_command = |command: &[&str]| env.servers.redis.command(env.number, command);
            let mut lines = redis_command(&["XRANGE", &key, "-", "+"]);
            if redis_command(&["EXISTS", &key]) == ["1"] {
                lines.extend(redis_command(&["XINFO", "GROUPS", &key]));
            }
            lines
        })
        .collect()
}

/// Returns an environment with the same stream and an empty database.
fn restored(servers: &Arc<Servers>, lost: &TestEnv) -> TestEnv {
    TestEnv::new(servers).with("REDIS_URL", servers.redis.url(PASSWORD, lost.number))
}

fn replay(env: &TestEnv) -> serde_json::Value {
    let call = env.balance(&["events", "replay", "--json"]);
    call.run().succeeded().json()
}

/// Returns the counts of a replay: new, known, late.
fn counts(output: &serde_json::Value) -> [u64; 3] {
    ["new", "known", "late"].map(|name| output[name].as_u64().unwrap())
}

/// Five viewers watch six videos up to the second ad. Returns the number of plays and pauses.
async fn watch(client: &Client) -> usize {
    let (_, owner) = client.user("owner").await;
    let mut events = 0;
    let mut videos = Vec::new();
    for number in 0..6 {
        videos.push(client.video(&owner, &format!("film {number}"), 600).await);
    }
    for number in 0..5 {
        let (_, viewer) = client.user(&format!("viewer{number}")).await;
        for video in &videos {
            let play = format!("/videos/{video}/play");
            client.request("POST", &play, &viewer).await.is(200);
            let pause = format!("/videos/{video}/pause?currentPlayedAt=130");
            client.request("POST", &pause, &viewer).await.is(200);
            events += 2;
        }
    }
    events
}

#[test]
fn a_replay_changes_nothing_and_into_an_empty_database_it_restores_every_row() {
    let servers = Servers::shared();
    let settings = |env: TestEnv| {
        env.with("INTAKE_SHARDS", SHARDS)
            .with("AD_INTERVAL_S", 60)
            .with("MAX_PLAYBACK_RATE", 0)
            .with("JWT_SECRET", SECRET)
            .with("LEASE_S", 2)
    };
    let env = Rc::new(settings(TestEnv::new(&servers)));
    let none = env.balance(&["events", "replay"]).run().succeeded();
    assert!(none.stdout.starts_with("0 plays and pauses"), "{none:#?}");
    env.database.execute(
        "INSERT INTO ad (id, title, created_at) VALUES (1, 'one', NOW(6)), (4, 'four', NOW(6)), (7, 'seven', NOW(6))",
    );
    let server = api(&env);
    let client = server.client();
    let events = block_on(watch(&client));
    let key = &env.stream(1);
    servers
        .redis
        .command(env.number, &["XADD", key, "*", "foreign", "field"]);
    let fleet = Fleet::start(&env, 2);
    let written = |table: &str| {
        let all = format!("SELECT COUNT(*) FROM {table}");
        env.database.number(&all)
    };
    until("all events to be persisted", || {
        written("play_history") == events as u64 && written("rejected_event") == 1
    });
    fleet.end();
    server.end().succeeded();
    assert_eq!(written("ad_history"), 60, "two ads of each of 30");

    // A replay into a complete database.
    let (before, in_redis) = (tables(&env), streams(&env));
    let output = replay(&env);
    assert_eq!(counts(&output), [0, events as u64, 0], "{output}");
    assert_eq!(output["entries"], events as u64 + 1);
    assert_eq!(
        (tables(&env), streams(&env)),
        (before.clone(), in_redis.clone())
    );

    // A replay into an empty database requires the identity, the number of shards and the ads.
    let empty = settings(restored(&servers, &env));
    let identity = env.identity();
    let rejected = empty.balance(&["events", "replay"]).run();
    rejected.failed(&[&identity, "balance events adopt --identity"]);
    let adopt = ["events", "adopt", "--identity", &identity];
    let call = empty.balance(&adopt).env("INTAKE_SHARDS", 1);
    call.run().failed(&["INTAKE_SHARDS", "shard 1"]);
    let unknown = ["events", "adopt", "--identity", "fedcba9876543210"];
    let rejected = empty.balance(&unknown).run();
    rejected.failed(&["fedcba9876543210", &identity]);
    let adopted = empty.balance(&adopt).run().succeeded();
    assert!(adopted.stdout.contains(&identity), "{adopted:#?}");
    let again = empty.balance(&adopt).run();
    again.failed(&["only a new database", &identity]);
    let rejected = empty.balance(&["events", "replay"]).run();
    rejected.failed(&[
        "ads that are not registered: 1, 4",
        "balance restore complete",
    ]);
    let rejected = empty.balance(&["events", "replay", "--without-ads"]).run();
    rejected.failed(&["ads that are not registered: 1, 4"]);
    assert_eq!(tables(&empty), ["closed_through|1|NULL"]);

    // The ids in the stream are not assigned again, and its videos and ads are registered.
    let settle = || empty.balance(&["settle"]).run();
    settle().failed(&["balance restore complete"]);
    let complete = || empty.balance(&["restore", "complete"]).run().succeeded();
    let completed = complete();
    assert!(completed.stdout.starts_with("6 videos"), "{completed:#?}");
    let ads = "ads of after the backup, which the event stream names, were registered: 1, 4\n";
    assert!(completed.stdout.contains(ads), "{completed:#?}");
    let ads = "SELECT id, title FROM ad ORDER BY id";
    assert_eq!(empty.database.rows(ads), ["1|ad-1", "4|ad-4"]);
    let audited = "SELECT COUNT(*) FROM audit WHERE action = 'COMPLETE_RESTORE' \
                   AND subject = 'ads 1, 4 registered'";
    assert_eq!(empty.database.number(audited), 1);
    let next_ad = "SELECT id FROM next_id WHERE name = 'ad'";
    assert!(empty.database.number(next_ad) > 1_000_000);
    let again = complete().stdout;
    assert!(
        again.starts_with("0 videos") && !again.contains("ads"),
        "{again}"
    );
    let output = replay(&empty);
    assert_eq!(counts(&output), [events as u64, 0, 0], "{output}");
    let rows = |all: Vec<String>| {
        let is_kept = |row: &String| !row.starts_with("rejected_event");
        all.into_iter().filter(is_kept).collect::<Vec<_>>()
    };
    assert_eq!(rows(tables(&empty)), rows(before));
    assert_eq!(
        empty.database.rows("SELECT reason FROM rejected_event"),
        env.database.rows("SELECT reason FROM rejected_event")
    );
    assert_eq!(streams(&env), in_redis, "the streams are unchanged");
    // A replay after a loss of some rows.
    empty
        .database
        .execute("DELETE FROM play_history ORDER BY event_id LIMIT 30");
    let output = replay(&empty);
    assert_eq!(counts(&output), [30, events as u64 - 30, 0], "{output}");
    empty.balance(&["verify"]).run().succeeded();

    settle().succeeded();
    let owners = "SELECT id, owner_id, duration_s FROM video ORDER BY id";
    assert_eq!(empty.database.rows(owners), env.database.rows(owners));
}

/// Appends views to the stream, each of another user, a millisecond apart.
fn fill(env: &TestEnv, first_ms: i64, count: usize) {
    let script = "for n = 0, tonumber(ARGV[2]) - 1 do \
                  local ms = string.format('%.0f', tonumber(ARGV[1]) + n) \
                  redis.call('XADD', KEYS[1], ms .. '-0', 'id', string.rep('0', 19) .. ms, \
                  'kind', 'play', 'user', tostring(10000 + n), 'video', tostring(1 + n % 50), \
                  'counted', '1') end return 'OK'";
    let (first, count) = (first_ms.to_string(), count.to_string());
    let command = ["EVAL", script, "1", &env.stream(0), &first, &count];
    assert_eq!(env.servers.redis.command(env.number, &command), ["OK"]);
}

#[test]
fn replayed_events_of_a_closed_day_are_late_unless_they_are_known() {
    let servers = Servers::shared();
    let env = TestEnv::new(&servers);
    // The day was closed before an older state of the stream was restored.
    let settle = ["settle", "--date", "2024-03-31"];
    env.balance(&settle).run().succeeded();
    servers.redis.command(env.number, &["DEL", &env.stream(0)]);
    fill(&env, DAY_MS, 700);
    fill(&env, NEXT_DAY_MS, 600);
    let text = env.balance(&["events", "replay"]).run().succeeded();
    assert!(
        text.stdout
            .contains("1,300 plays and pauses = 600 new + 0 already there + 700 late"),
        "{text:#?}"
    );
    let rows = |table: &str| {
        let days = format!("SELECT date, COUNT(*) FROM {table} GROUP BY date ORDER BY date");
        env.database.rows(&days)
    };
    assert_eq!(rows("play_history"), ["2024-04-01|600"]);
    assert_eq!(rows("late_event"), ["2024-03-31|700"]);
    let before = tables(&env);
    assert_eq!(counts(&replay(&env)), [0, 1_300, 0]);
    assert_eq!(tables(&env), before);
    let group = ["XINFO", "GROUPS", &env.stream(0)];
    assert_eq!(servers.redis.command(env.number, &group), [""], "no group");
    env.balance(&["verify"]).run().succeeded();
}

#[test]
fn concurrent_replays_and_event_writers_write_each_event_once() {
    const EVENTS: u16 = 6_000;
    let env = TestEnv::new(&Servers::shared()).with("LEASE_S", 2);
    // The event writer is frozen until the replays run.
    let fleet = Fleet::start(&env, 1);
    fleet.workers[0].signal("STOP");
    // Entries of the last seconds: the worker trims old ones as soon as they are persisted.
    fill(&env, now_ms() - i64::from(EVENTS), EVENTS.into());
    let replays = [(); 2].map(|()| env.balance(&["events", "replay", "--json"]).start());
    until("some events to be written", || {
        env.database.number("SELECT COUNT(*) FROM play_history") > 0
    });
    fleet.workers[0].signal("CONT");
    for replay in replays {
        let outcome = replay.wait().succeeded();
        let all: u64 = counts(&outcome.json()).iter().sum();
        assert_eq!(all, u64::from(EVENTS), "{outcome:#?}");
        assert!(
            outcome.stderr.contains("workers are running"),
            "{outcome:#?}"
        );
    }
    until("the event writer to acknowledge all entries", || {
        let group = ["XINFO", "GROUPS", &env.stream(0)];
        let lines = env.servers.redis.command(env.number, &group);
        let value = |name: &str| {
            let at = lines.iter().position(|line| line == name);
            at.map(|at| lines[at + 1].clone())
        };
        value("lag").as_deref() == Some("0") && value("pending").as_deref() == Some("0")
    });
    fleet.end();
    let rows = "SELECT COUNT(*), COUNT(DISTINCT event_id) FROM play_history";
    assert_eq!(env.database.value(rows), format!("{EVENTS}|{EVENTS}"));
    for table in ["late_event", "rejected_event"] {
        let rows = env.database.rows(&format!("SELECT * FROM {table}"));
        assert!(rows.is_empty(), "{table}: {rows:?}");
    }
}

#[test]
fn a_replay_without_its_stream_is_rejected() {
    let servers = Servers::shared();
    let env = TestEnv::new(&servers);
    let replay = ["events", "replay"];
    let file = env.balance(&replay).env("DATABASE_URL", "sqlite://x.db");
    file.run()
        .failed(&["DATABASE_URL", "event stream", "SQLite"]);
    let unused = format!("redis://:{PASSWORD}@127.0.0.1:{}/0", free_port());
    let wrong = servers.redis.url("Falsch-0815", env.number);
    for (address, words) in [
        ("x", ["REDIS_URL", "redis://"]),
        (unused.as_str(), ["REDIS_URL", "unavailable"]),
        (
            wrong.as_str(),
            ["REDIS_URL", "rejected the user or password"],
        ),
    ] {
        let outcome = env.balance(&replay).env("REDIS_URL", address).run();
        let outcome = outcome.failed(&words);
        assert_eq!(outcome.status.code(), Some(1), "{outcome:#?}");
        for password in [PASSWORD, "Falsch-0815"] {
            assert!(!outcome.stderr.contains(password), "{outcome:#?}");
        }
    }
    let foreign = ["SET", &env.stream(0), "no stream"];
    servers.redis.command(env.number, &foreign);
    let outcome = env.balance(&replay).run();
    outcome.failed(&["REDIS_URL"]);
    for words in [&["events"][..], &["events", "replay", "now"]] {
        let outcome = env.balance(words).run();
        assert_eq!(outcome.status.code(), Some(2), "{outcome:#?}");
    }
    let env = env.without("REDIS_URL");
    env.balance(&replay).run().failed(&["REDIS_URL: required"]);
    assert_eq!(
        env.database.rows("SELECT name FROM setting"),
        ["business_timezone", "stream_identity", "stream_state"],
        "no number of shards was stored"
    );
}

#[test]
fn persisted_entries_are_retained_for_the_configured_time() {
    const HOUR_MS: i64 = 3_600_000;
    let env = TestEnv::new(&Servers::shared()).with("STREAM_RETENTION_H", 2);
    let now_s: i64 = env.servers.redis.command(env.number, &["TIME"])[0]
        .parse()
        .unwrap();
    let now_ms = now_s * 1_000;
    fill(&env, now_ms - 3 * HOUR_MS, 10);
    fill(&env, now_ms - HOUR_MS, 10);
    let length = || {
        env.servers
            .redis
            .command(env.number, &["XLEN", &env.stream(0)])
    };
    assert_eq!(length(), ["20"]);
    let fleet = Fleet::start(&env, 1);
    until("the old entries to be trimmed", || length() == ["10"]);
    fleet.end();
    let written = "SELECT COUNT(*) FROM play_history";
    assert_eq!(
        env.database.number(written),
        20,
        "persisted before they were trimmed"
    );
    assert_eq!(counts(&replay(&env)), [0, 10, 0]);
}
