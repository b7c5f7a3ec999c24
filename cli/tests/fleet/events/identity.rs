//! The identity of the event stream: a database is settled with its own stream only.

use crate::{
    env::TestEnv,
    playback::service::{SECRET, api},
    plays,
    queue::notifier::shared,
    worker::Fleet,
};
use balance_domain::clock::SystemClock;
use balance_redis::RedisStream;
use balance_service::events::identity::{IdentityError, require_stream};
use balance_store::Store;
use balance_test_support::{
    process::{block_on, until},
    servers::{PASSWORD, Servers},
};
use std::{collections::HashSet, rc::Rc, sync::Arc};
use tokio::task::JoinSet;

const DAY: &str = "2024-03-30";
const SETTLE: [&str; 3] = ["settle", "--date", DAY];

/// Returns the same database with the Redis of another number.
fn on_other_redis(env: TestEnv, number: u32) -> TestEnv {
    let url = env.servers.redis.url(PASSWORD, number);
    env.without("REDIS_URL").with("REDIS_URL", url)
}

fn open_days(env: &TestEnv) -> String {
    env.database
        .value("SELECT COALESCE(MAX(date), 'none') FROM closed_through")
}

#[test]
fn a_server_without_the_stream_of_the_database_is_rejected() {
    let servers = Servers::shared();
    let env = TestEnv::new(&servers);
    env.balance(&["settle"]).run().succeeded();
    env.import(&plays::day(DAY, 20));
    let identity = env.identity();

    // An empty server, and that of another database.
    let other = TestEnv::new(&servers);
    other.balance(&["settle"]).run().succeeded();
    let (own, others) = (env.number, other.identity());
    assert_ne!(identity, others);
    let mut env = env;
    for (number, found) in [(servers.next_database(), "none"), (other.number, &others)] {
        env = on_other_redis(env, number);
        for args in [&SETTLE[..], &["worker"], &["api"], &["events", "replay"]] {
            let call = env.balance(args).env("JWT_SECRET", SECRET);
            let call = call.env("LISTEN_ADDR", "127.0.0.1:0");
            call.run()
                .failed(&["REDIS_URL", &identity, found, "balance events adopt"]);
        }
        assert_eq!(open_days(&env), "none");
    }
    let rejected = env.balance(&["events", "adopt"]).run();
    rejected.failed(&["REDIS_URL", &identity, &others, "--shared-server"]);

    let env = on_other_redis(env, own);
    let complete = env.balance(&["events", "adopt"]).run();
    complete.failed(&["complete", &identity]);
    env.balance(&SETTLE).run().succeeded();
    assert_eq!(open_days(&env), DAY);
    env.balance(&["verify"]).run().succeeded();
}

#[test]
fn a_lost_stream_stops_plays_and_closing_until_it_is_adopted() {
    let servers = Servers::start();
    let env = Rc::new(
        TestEnv::new(&servers)
            .with("LEASE_S", 2)
            .with("JWT_SECRET", SECRET)
            .with("CLOSE_TIMEOUT_S", 3_600),
    );
    let fleet = Fleet::start(&env, 1);
    let server = api(&env);
    let client = server.client();
    let (video, viewer) = block_on(async {
        let (_, owner) = client.user("owner").await;
        let video = client.video(&owner, "film", 600).await;
        let (_, viewer) = client.user("viewer").await;
        (video, viewer)
    });
    let play = format!("/videos/{video}/play");
    block_on(async { client.request("POST", &play, &viewer).await.is(200) });
    let persisted = "SELECT COUNT(*) FROM play_history";
    until("the play to be persisted", || {
        env.database.number(persisted) == 1
    });

    servers.redis.command(env.number, &["FLUSHALL"]);
    let ready = block_on(async {
        client.request("POST", &play, &viewer).await.is(503);
        client.request("GET", "/health/ready", "").await
    });
    assert_eq!(ready.status, 503);
    let identity = env.identity();
    assert!(ready.text.contains(&identity), "{}", ready.text);
    env.balance(&["jobs", "launch", "--date", DAY])
        .run()
        .succeeded();
    let worker = &fleet.workers[0];
    let attempts = "SELECT COALESCE(MAX(VERSION), 0) FROM BATCH_STEP_EXECUTION";
    until("attempts to close the day", || {
        env.database.number(attempts) >= 4
    });
    let log = worker.stderr();
    assert!(
        log.contains("failed to persist events") && log.contains(&identity),
        "{log}"
    );
    assert_eq!(open_days(&env), "none");

    let adopted = env.balance(&["events", "adopt"]).run().succeeded();
    assert!(adopted.stdout.contains(&identity), "{adopted:#?}");
    env.until_settled(1, "after the adoption");
    block_on(async {
        client.request("POST", &play, &viewer).await.is(200);
    });
    until("the second play to be persisted", || {
        env.database.number(persisted) == 2
    });
    let audited = "SELECT subject FROM audit WHERE action = 'ADOPT_STREAM'";
    assert_eq!(
        env.database.value(audited),
        format!("event stream {identity}")
    );
    server.end().succeeded();
    fleet.end();
    env.balance(&["verify"]).run().succeeded();
}

#[test]
fn two_databases_share_a_server_and_keep_their_plays() {
    let servers = Servers::shared();
    let number = servers.next_database();
    let envs = [(); 2].map(|()| {
        let env = on_other_redis(TestEnv::new(&servers), number);
        Rc::new(env.with("JWT_SECRET", SECRET).with("LEASE_S", 2))
    });
    let fleets = envs.each_ref().map(|env| Fleet::start(env, 1));
    for (env, plays) in envs.iter().zip([12, 7]) {
        let server = api(env);
        let client = server.client();
        block_on(async {
            let (_, owner) = client.user("owner").await;
            let video = client.video(&owner, "film", 600).await;
            for viewer in 0..plays {
                let (_, viewer) = client.user(&format!("viewer{viewer}")).await;
                let play = format!("/videos/{video}/play");
                client.request("POST", &play, &viewer).await.is(200);
            }
        });
        server.end().succeeded();
    }
    for (env, plays) in envs.iter().zip([12, 7]) {
        until("all plays of the database", || {
            env.database.number("SELECT COUNT(*) FROM play_history") == plays
        });
        let rejected = "SELECT COUNT(*) FROM rejected_event";
        assert_eq!(env.database.number(rejected), 0);
    }
    for fleet in fleets {
        fleet.end();
    }
}

#[test]
fn the_stream_and_the_sessions_of_a_version_without_identities_are_taken_over() {
    let servers = Servers::shared();
    let env = TestEnv::new(&servers).with("LEASE_S", 2);
    let redis = |command: &[&str]| servers.redis.command(env.number, command);
    // The state that such a version leaves.
    env.database.execute("DELETE FROM setting");
    env.database.execute(
        "INSERT INTO setting VALUES ('business_timezone', 'Asia/Seoul'), ('intake_shards', '1')",
    );
    redis(&["FLUSHDB"]);
    let event = "0".repeat(32);
    redis(&[
        "XADD",
        "{s0}:events",
        "1711810800000-0",
        "id",
        &event,
        "kind",
        "play",
        "user",
        "7",
        "video",
        "1",
        "counted",
        "1",
    ]);
    redis(&["XGROUP", "CREATE", "{s0}:events", "drain", "0"]);
    redis(&[
        "HSET",
        "{s0}:session:7:1",
        "position",
        "42",
        "since",
        "1",
        "open",
        "1",
    ]);
    redis(&["SET", "{s0}:views:1", "3"]);
    redis(&["SET", "another program's", "key"]);

    let fleet = Fleet::start(&env, 1);
    until("the event to be persisted", || {
        env.database.number("SELECT COUNT(*) FROM play_history") == 1
    });
    let layout = "SELECT COUNT(*) FROM setting WHERE name = 'stream_layout'";
    until("the layout by viewer", || env.database.number(layout) == 1);
    fleet.end();
    let identity = env.identity();
    assert_eq!(
        redis(&[
            "HGET",
            &format!("{{{identity}:u0}}:session:7:1"),
            "position"
        ]),
        ["42"]
    );
    assert_eq!(
        redis(&["GET", &format!("{{{identity}:u0}}:views:1")]),
        ["3"]
    );
    assert_eq!(redis(&["GET", "another program's"]), ["key"]);
    assert_eq!(redis(&["KEYS", "{s0}:*"]), [""]);
}

#[test]
fn a_stream_that_an_older_process_made_again_is_named_and_not_overwritten() {
    let servers = Servers::shared();
    let env = TestEnv::new(&servers);
    env.database
        .execute("UPDATE setting SET value = 'unnamed' WHERE name = 'stream_state'");
    env.database
        .execute("INSERT INTO setting VALUES ('intake_shards', '1')");
    let streams = [env.stream_by_video(0), "{s0}:events".to_owned()];
    for stream in &streams {
        let add = ["XADD", stream, "1711810800000-0", "foreign", "field"];
        servers.redis.command(env.number, &add);
    }
    let rejected = env.balance(&SETTLE).run();
    rejected.failed(&["REDIS_URL", &streams[0], &streams[1], "older version"]);
    assert_eq!(open_days(&env), "none");
    for stream in &streams {
        let length = servers.redis.command(env.number, &["XLEN", stream]);
        assert_eq!(length, ["1"], "{stream}");
    }
}

#[test]
fn a_database_of_such_a_version_rejects_a_server_without_its_stream() {
    let servers = Servers::shared();
    let env = TestEnv::new(&servers);
    env.database.execute("DELETE FROM setting");
    env.database.execute(
        "INSERT INTO setting VALUES ('business_timezone', 'Asia/Seoul'), ('intake_shards', '1')",
    );
    env.import(&plays::day(DAY, 20));
    let rejected = env.balance(&SETTLE).run();
    rejected.failed(&["REDIS_URL", "balance events adopt"]);
    assert_eq!(open_days(&env), "none");
    env.balance(&["events", "adopt"]).run().succeeded();
    env.balance(&SETTLE).run().succeeded();
}

#[test]
fn a_copied_database_gets_a_stream_of_its_own() {
    let servers = Servers::shared();
    let env = TestEnv::new(&servers);
    env.balance(&["settle"]).run().succeeded();
    let copied = env.identity();
    let outcome = env.balance(&["events", "adopt", "--new"]).run().succeeded();
    let own = env.identity();
    assert_ne!(own, copied);
    assert!(outcome.stdout.contains(&own), "{outcome:#?}");
    env.import(&plays::day(DAY, 20));
    env.balance(&SETTLE).run().succeeded();
    let entries = |identity: &str| {
        let key = format!("{{{identity}:u0}}:events");
        servers.redis.command(env.number, &["XLEN", &key])
    };
    // The seal of the day is in the new stream only.
    assert_eq!(entries(&own), ["1"]);
    assert_eq!(entries(&copied), ["0"]);
    let known = servers
        .redis
        .command(env.number, &["SMEMBERS", "balance:streams"]);
    assert!(known.contains(&own) && known.contains(&copied), "{known:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_first_starts_with_different_servers_one_creates_the_stream() {
    let servers = shared().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("balance.db");
    let store = Store::open_sqlite(&path, 4, Arc::new(SystemClock)).await;
    let store = Arc::new(store.unwrap());
    let (identity, _) = store.stream_identity().await.unwrap();
    let numbers = [servers.next_database(), servers.next_database()];
    let url = |number| servers.redis.url(PASSWORD, number);
    let mut starts = JoinSet::new();
    for _ in 0..8 {
        for number in numbers {
            let stream = RedisStream::open(&url(number), identity.clone(), 2).unwrap();
            let store = Arc::clone(&store);
            starts.spawn(async move { (number, require_stream(&store, &stream).await) });
        }
    }
    let mut accepted = HashSet::new();
    for (number, started) in starts.join_all().await {
        match started {
            Ok(_) => {
                accepted.insert(number);
            }
            // Only before and after the winner has created the stream.
            Err(IdentityError::OtherServer(_) | IdentityError::Missing { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(accepted.len(), 1);
    for number in numbers {
        let stream = format!("{{{identity}:u0}}:events");
        let exists = servers.redis.command(number, &["EXISTS", &stream]);
        let expected = if accepted.contains(&number) { "1" } else { "0" };
        assert_eq!(exists, [expected]);
    }
}
