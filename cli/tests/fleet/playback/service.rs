//! Playback on a fleet: acknowledged plays survive all faults, each play is in one day, and
//! unavailable servers are reported without hanging.

use crate::{
    env::TestEnv,
    worker::{Fleet, Worker},
};
use balance_test_support::{
    http::{Client, EXAMPLE_SETTINGS, Reply, Server, ViewerRun, assert_original_examples},
    midnight::Midnight,
    process::{block_on, until},
    servers::{Redis, Servers},
};
use std::{
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

pub(crate) const SECRET: &str = "fleet-secret-0123456789-abcdefghijklm";
/// The default view window.
const WINDOW: Duration = Duration::from_secs(30);
pub(crate) const HISTORY: &str = "SELECT user_id, video_id, counted FROM play_history";

/// Creates an environment with a JWT secret.
fn env(servers: &std::sync::Arc<Servers>) -> TestEnv {
    TestEnv::new(servers)
        .with("JWT_SECRET", SECRET)
        .with("LEASE_S", 2)
}

pub(crate) fn api(env: &Rc<TestEnv>) -> Server {
    let env = Rc::clone(env);
    Server::start(move || env.balance(&["api"]))
}

/// Waits until all entries of the stream are in the history.
pub(crate) fn until_drained(env: &TestEnv, intake: &Redis, acknowledged: usize) {
    let written = "SELECT COUNT(*) FROM play_history";
    until("the event writers to persist all plays", || {
        env.database.number(written) >= acknowledged as u64
    });
    until("all entries to be acknowledged", || {
        let group = ["XINFO", "GROUPS", &env.stream(0)];
        let lines = intake.command(env.number, &group);
        let value = |name: &str| {
            let at = lines.iter().position(|line| line == name).unwrap();
            lines[at + 1].clone()
        };
        value("lag") == "0" && value("pending") == "0"
    });
}

#[test]
fn acknowledged_plays_survive_all_faults() {
    let servers = Servers::start();
    let env = Rc::new(env(&servers).with_viewers());
    let written = servers
        .redis
        .command(env.number, &["CONFIG", "GET", "append*"]);
    for setting in [["appendonly", "yes"], ["appendfsync", "always"]] {
        assert!(
            written.windows(2).any(|pair| pair == setting),
            "{written:?}"
        );
    }
    let mut server = api(&env);
    let mut fleet = Fleet::start(&env, 2);
    let viewers = ViewerRun::start(server.client(), 16, 400, Duration::from_millis(2));
    for round in 0..2 {
        viewers.until_acknowledged(150);
        server.kill();
        server.restart();
        viewers.until_acknowledged(150);
        fleet.workers.remove(0).kill();
        fleet
            .workers
            .push(Worker::start(&env, env.balance(&["worker"])));
        viewers.until_acknowledged(150);
        if round == 0 {
            servers.redis.daemon.kill();
        } else {
            servers.redis.daemon.stop();
        }
        servers.redis.daemon.restart();
        servers.redis.until_ready();
        viewers.until_acknowledged(150);
        servers.mariadb.daemon.kill();
        servers.mariadb.daemon.restart();
        servers.mariadb.until_ready();
    }
    viewers.until_acknowledged(150);
    let ended = viewers.finish();
    let replies = &ended.replies;
    eprintln!(
        "{} acknowledged, {} without a reply",
        replies.acknowledged.len(),
        replies.unknown.len()
    );
    until_drained(&env, &servers.redis, replies.acknowledged.len());
    replies.assert_persisted(&env.database.rows(HISTORY));
    ended.assert_replies_repeat();
    until_drained(&env, &servers.redis, replies.acknowledged.len());
    replies.assert_persisted(&env.database.rows(HISTORY));
    fleet.end();
    server.end().succeeded();
    env.balance(&["verify"]).run().succeeded();
}

#[test]
fn midnight_separates_the_plays_and_the_day_is_settled_while_viewers_play() {
    let servers = Servers::shared();
    let midnight = Midnight::after_s(30);
    let env = TestEnv::empty(&servers)
        .with("JWT_SECRET", SECRET)
        .with("BUSINESS_TIMEZONE", &midnight.zone)
        .with_viewers();
    env.balance(&["migrate"]).run().succeeded();
    let env = Rc::new(env);
    let server = api(&env);
    let fleet = Fleet::start(&env, 2);
    let viewers = ViewerRun::start(server.client(), 16, 500, Duration::from_millis(40));
    env.until_settled(1, "the day to be settled");
    viewers.until_acknowledged(100);
    let ended = viewers.finish();
    until_drained(&env, &servers.redis, ended.replies.acknowledged.len());
    ended.replies.assert_persisted(&env.database.rows(HISTORY));
    let closed = env.database.value("SELECT date FROM closed_through");
    assert_eq!(closed, midnight.day.to_string());
    let days = env.database.rows(&format!(
        "SELECT date, SUM((occurred_at_micros < {}) <> (date = '{}')) \
         FROM play_history GROUP BY date ORDER BY date",
        midnight.at_micros, midnight.day
    ));
    assert_eq!(days.len(), 2, "before and after midnight: {days:?}");
    assert!(
        days.iter().all(|day| day.ends_with("|0")),
        "in another day: {days:?}"
    );
    for table in ["late_event", "rejected_event"] {
        let rows = env.database.rows(&format!("SELECT * FROM {table}"));
        assert!(rows.is_empty(), "{table}: {rows:?}");
    }
    fleet.end();
    server.end().succeeded();
    env.assert_all_complete(1, "the day");
    env.balance(&["verify"]).run().succeeded();
}

#[test]
fn of_a_thousand_clients_of_a_hundred_users_each_user_counts_once() {
    let servers = Servers::shared();
    let env = Rc::new(env(&servers));
    let server = api(&env);
    let client = server.client();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (path, viewers) = runtime.block_on(async {
        let (_, owner) = client.user("owner").await;
        let video = client.video(&owner, "a film", 600).await;
        let mut viewers = Vec::new();
        for number in 0..100 {
            viewers.push(client.user(&format!("viewer{number}")).await.1);
        }
        (format!("/videos/{video}/play"), viewers)
    });
    let at_once = || {
        runtime.block_on(async {
            let mut clients = JoinSet::new();
            for token in viewers.iter().cycle().take(1_000) {
                let (client, path, token) = (client.clone(), path.clone(), token.clone());
                clients.spawn(async move { client.request("POST", &path, &token).await });
            }
            let mut answers = BTreeMap::new();
            for reply in clients.join_all().await {
                assert_eq!(
                    reply.retry_after.is_some(),
                    reply.status == 429,
                    "{reply:?}"
                );
                *answers.entry(reply.status).or_insert(0) += 1;
            }
            answers
        })
    };
    let expected = BTreeMap::from([(200, 100), (429, 900)]);
    let began = Instant::now();
    assert_eq!(at_once(), expected);
    let ended = Instant::now();
    // A viewer who repeats the request all the time is not counted too early.
    until("the first view to count again", || {
        std::thread::sleep(Duration::from_millis(20));
        runtime
            .block_on(client.request("POST", &path, &viewers[0]))
            .status
            == 200
    });
    assert!(began.elapsed() >= WINDOW, "after {:?}", began.elapsed());
    until("all view windows to be over", || {
        ended.elapsed() >= WINDOW + Duration::from_millis(5)
    });
    let of_others = BTreeMap::from([(200, 99), (429, 901)]);
    assert_eq!(at_once(), of_others, "30 s later each counts again");
    server.end().succeeded();
}

#[test]
fn the_original_examples() {
    let servers = Servers::shared();
    let mut env = env(&servers);
    for (name, value) in EXAMPLE_SETTINGS {
        env = env.with(name, value);
    }
    let server = api(&Rc::new(env));
    block_on(assert_original_examples(&server.client()));
    server.end().succeeded();
}

/// Plays a video that the API has in its cache.
fn play(client: &Client, video: i64, token: &str) -> Reply {
    block_on(client.request("POST", &format!("/videos/{video}/play"), token))
}

#[test]
fn unavailable_servers_are_reported_and_recover_automatically() {
    let servers = Servers::start();
    let env = Rc::new(env(&servers).with("VIEW_WINDOW_S", 0));
    let server = api(&env);
    let client = server.client();
    let (owner, video) = block_on(async {
        let (_, owner) = client.user("owner").await;
        let video = client.video(&owner, "a film", 600).await;
        (owner, video)
    });
    play(&client, video, &owner).is(200);
    let is_unavailable = |reply: Reply| {
        let reply = reply.is(503);
        assert!(reply.retry_after.is_some(), "{reply:?}");
        assert!(!reply.text.contains("127.0.0.1"), "{reply:?}");
    };
    let list = || block_on(client.request("GET", "/videos", &owner));

    // Redis is killed, then frozen.
    servers.redis.daemon.kill();
    is_unavailable(play(&client, video, &owner));
    assert!(!block_on(client.is_ready()));
    list().is(200);
    servers.redis.daemon.restart();
    servers.redis.until_ready();
    until("plays to be accepted again", || {
        play(&client, video, &owner).status == 200
    });
    servers.redis.daemon.signal("STOP");
    is_unavailable(play(&client, video, &owner));
    assert!(!block_on(client.is_ready()));
    servers.redis.daemon.signal("CONT");
    until("the API to be ready again", || block_on(client.is_ready()));
    play(&client, video, &owner).is(200);

    // MariaDB is killed, then frozen; plays continue.
    servers.mariadb.daemon.kill();
    play(&client, video, &owner).is(200);
    is_unavailable(list());
    assert!(!block_on(client.is_ready()));
    servers.mariadb.daemon.restart();
    servers.mariadb.until_ready();
    until("lists to be available again", || list().status == 200);
    servers.mariadb.daemon.signal("STOP");
    play(&client, video, &owner).is(200);
    is_unavailable(list());
    assert!(!block_on(client.is_ready()));
    servers.mariadb.daemon.signal("CONT");
    until("the API to be ready again", || block_on(client.is_ready()));
    list().is(200);

    // A Redis that could lose acknowledged plays.
    for (setting, unsafe_value, value) in [
        ("appendonly", "no", "yes"),
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
    ] {
        let set = |value: &str| {
            servers
                .redis
                .command(env.number, &["CONFIG", "SET", setting, value]);
        };
        set(unsafe_value);
        until("the API to be not ready", || !block_on(client.is_ready()));
        set(value);
        until("the API to be ready again", || block_on(client.is_ready()));
    }
    // A Redis that can lose the last second in a power cut causes a log line, and is used.
    assert!(!server.stderr().contains("appendfsync"));
    let set = ["CONFIG", "SET", "appendfsync", "everysec"];
    servers.redis.command(env.number, &set);
    assert!(block_on(client.is_ready()));
    let log = server.stderr();
    assert!(log.contains("appendfsync is everysec"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    server.end().succeeded();
}

#[test]
fn a_full_backlog_rejects_plays_until_it_is_drained() {
    let servers = Servers::shared();
    let env = env(&servers)
        .with("VIEW_WINDOW_S", 0)
        .with("INTAKE_BACKLOG_MAX", 20);
    let env = Rc::new(env);
    let server = api(&env);
    let client = server.client();
    let (owner, video) = block_on(async {
        let (_, owner) = client.user("owner").await;
        let video = client.video(&owner, "a film", 600).await;
        (owner, video)
    });
    let mut accepted = 0;
    until("the backlog to be full", || {
        let reply = play(&client, video, &owner);
        accepted += u32::from(reply.status == 200);
        reply.status == 503 && reply.json()["code"] == "backlog-full"
    });
    assert!((15..=25).contains(&accepted), "{accepted} were accepted");
    let fleet = Fleet::start(&env, 1);
    until("the backlog to be drained", || {
        play(&client, video, &owner).status == 200
    });
    fleet.end();
    server.end().succeeded();
}
