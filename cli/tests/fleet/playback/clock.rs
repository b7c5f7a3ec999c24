//! Wrong clocks in a fleet: a process, Redis, and a stream whose last entry is of the future.

use crate::{
    env::TestEnv,
    events::stream::now_ms,
    playback::{
        intake::{RULES, bounded, opened, opened_as, request},
        service::{SECRET, api, until_drained},
    },
    queue::notifier::shared,
    worker::Fleet,
};
use balance_domain::{
    clock::{CLOCK_TOLERANCE_MICROS, Clock, SystemClock},
    playback::PlayRules,
};
use balance_redis::RedisStream;
use balance_service::{
    events::stream::{Closed, EventStream, StreamRepair},
    playback::intake::{Intake, IntakeError},
};
use balance_store::playback::{Command, IntakeAnswer};
use balance_test_support::{
    TestClock,
    process::block_on,
    servers::{Machine, PASSWORD, Redis, Servers},
    stream::{IDENTITY, identity},
};
use chrono::TimeDelta;
use std::{rc::Rc, sync::Arc};

const DAY_MS: i64 = 86_400_000;

fn stream() -> String {
    format!("{{{IDENTITY}:u0}}:events")
}

/// Appends a play with an ID three days in the future, as a server with a wrong clock does.
fn add_future(servers: &Servers, database: u32, stream: &str, user: &str) -> String {
    let id = format!("{}-0", now_ms() + 3 * DAY_MS);
    let event = format!("{:032x}", rand::random::<u128>());
    let fields = [
        "id", &event, "kind", "play", "user", user, "video", "1", "counted", "1",
    ];
    let mut command = vec!["XADD", stream, &id];
    command.extend(fields);
    servers.redis.command(database, &command);
    id
}

#[track_caller]
fn reason<T: std::fmt::Debug>(result: Result<T, IntakeError>) -> String {
    match result {
        Err(IntakeError::Unusable(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_ahead_stops_plays_and_closing_until_it_is_repaired() {
    let servers = shared().await;
    let database = servers.next_database();
    let (events, intake) = bounded(&servers, database, 1_000).await;
    let play = async |user| intake.accept(request(user, 1, Command::Play)).await;
    play(10).await.unwrap();
    intake.readiness().await.unwrap();
    add_future(&servers, database, &stream(), "11");
    let length = || servers.redis.command(database, &["XLEN", &stream()]);
    for refused in [
        reason(play(12).await),
        reason(intake.readiness().await),
        reason(
            intake
                .accept(request(10, 1, Command::Pause { current_s: 9 }))
                .await,
        ),
    ] {
        assert!(
            refused.starts_with("the last entry of the event stream is of 2"),
            "{refused}"
        );
        assert!(
            refused.contains("and the clock of Redis is at 2"),
            "{refused}"
        );
        assert!(refused.contains("`balance clock repair`"), "{refused}");
    }
    assert_eq!(length(), ["2"]);
    let tomorrow_ms = now_ms() + DAY_MS;
    let close = async || events.close(tomorrow_ms, now_ms()).await.unwrap();
    assert_eq!(close().await, Closed::WrongClock);
    let repair = async || events.repair_clock(now_ms()).await.unwrap();
    assert_eq!(repair().await, StreamRepair::Waiting, "entries are unread");
    let entries = events.read("test", 100).await.unwrap();
    assert_eq!(repair().await, StreamRepair::Waiting, "entries are pending");
    assert_eq!(entries.len(), 2);
    let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    events.acknowledge(&ids).await.unwrap();
    assert_eq!(repair().await, StreamRepair::Repaired(1));
    assert_eq!(repair().await, StreamRepair::Right);
    assert_eq!(length(), ["1"], "the entry of the past is retained");
    assert_eq!(events.waiting().await.unwrap(), [0]);
    intake.readiness().await.unwrap();
    play(12).await.unwrap();
    assert_eq!(events.waiting().await.unwrap(), [1]);
    let new = events.read("test", 100).await.unwrap();
    assert_eq!(new.len(), 1);
    let age_ms = now_ms() - new[0].id.ms;
    assert!((-1_000..60_000).contains(&age_ms), "{age_ms}");
    assert_eq!(close().await, Closed::NotOver);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_clock_differs_from_that_of_redis_accepts_no_play() {
    let servers = shared().await;
    let database = servers.next_database();
    let (events, _) = bounded(&servers, database, 1_000).await;
    let now = SystemClock.now_micros();
    let clock = TestClock::at(now);
    let of_intake: Arc<TestClock> = Arc::clone(&clock);
    let url = servers.redis.url(PASSWORD, database);
    let intake = opened_as(&url, identity(), 1, 1_000, RULES, of_intake).unwrap();
    let play = async |user| intake.accept(request(user, 1, Command::Play)).await;
    for (user, ahead) in [
        (10, 0),
        (11, CLOCK_TOLERANCE_MICROS * 4 / 5),
        (12, -CLOCK_TOLERANCE_MICROS * 4 / 5),
    ] {
        clock.set(now + ahead);
        intake.readiness().await.unwrap();
        play(user).await.unwrap();
    }
    for ahead in [3 * DAY_MS * 1_000, -3_600_000_000] {
        clock.set(now + ahead);
        for refused in [reason(play(13).await), reason(intake.readiness().await)] {
            assert!(
                refused.starts_with("the clock of Redis is at 2"),
                "{refused}"
            );
        }
        let own_ms = clock.now_micros() / 1_000;
        assert_eq!(
            events.close(now / 1_000 - DAY_MS, own_ms).await.unwrap(),
            Closed::WrongClock
        );
        let repaired = events.repair_clock(own_ms).await.unwrap();
        assert!(
            matches!(repaired, StreamRepair::WrongClock(_)),
            "{repaired:?}"
        );
    }
    assert_eq!(servers.redis.command(database, &["XLEN", &stream()]), ["3"]);
    clock.set(SystemClock.now_micros());
    play(13).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_and_sessions_of_the_future_last_no_longer_than_others() {
    let servers = shared().await;
    let database = servers.next_database();
    bounded(&servers, database, 1_000).await;
    let rules = PlayRules {
        view_window_s: 30,
        playback_rate: balance_domain::playback::PlaybackRate(2_000),
        ..RULES
    };
    let url = servers.redis.url(PASSWORD, database);
    let intake = opened(&url, 1, 1_000, rules).unwrap();
    let accept = async |command| intake.accept(request(10, 1, command)).await.unwrap();
    accept(Command::Play).await;
    let key = |name: &str| format!("{{{IDENTITY}:u0}}:{name}:10:1");
    let command = |command: &[&str]| servers.redis.command(database, command);
    command(&["EXPIRE", &key("gate"), "259200"]);
    let answer = accept(Command::Play).await;
    assert!(
        matches!(
            answer,
            IntakeAnswer::Repeat {
                retry_after_ms: 1..=30_000
            }
        ),
        "{answer:?}"
    );
    let left: i64 = command(&["PTTL", &key("gate")])[0].parse().unwrap();
    assert!((1..=30_000).contains(&left), "{left}");
    // A rule that became shorter or longer changes no open window.
    for (user, opened_s, rule_s) in [(20, 3_600, 30), (21, 30, 3_600), (22, 3_600, 0)] {
        let play = async |view_window_s| {
            let rules = PlayRules {
                view_window_s,
                ..rules
            };
            let intake = opened(&url, 1, 1_000, rules).unwrap();
            intake
                .accept(request(user, 1, Command::Play))
                .await
                .unwrap()
        };
        play(opened_s).await;
        let ttl = ["PTTL", &format!("{{{IDENTITY}:u0}}:gate:{user}:1")];
        let before: i64 = command(&ttl)[0].parse().unwrap();
        let IntakeAnswer::Repeat { retry_after_ms } = play(rule_s).await else {
            panic!("the window of {opened_s} s is open");
        };
        let after: i64 = command(&ttl)[0].parse().unwrap();
        assert!(
            (after..=before).contains(&retry_after_ms),
            "{retry_after_ms}"
        );
        assert!(after > before - 20_000, "{after} of {before}");
    }
    let viewer = format!("{{{IDENTITY}:u0}}:viewer:10");
    for name in ["pause", "play"] {
        let future = ((now_ms() + 3 * DAY_MS) * 1_000).to_string();
        let open = format!("1:{future}:{future}:0:-1");
        command(&["HSET", &viewer, "last", &future, "open", &open]);
        if name == "play" {
            command(&["DEL", &key("gate")]);
            accept(Command::Play).await;
        } else {
            accept(Command::Pause { current_s: 2 }).await;
        }
        let open = command(&["HGET", &viewer, "open"]);
        let since = open[0].split(':').nth(1).unwrap();
        let since_ms = since.parse::<i64>().unwrap() / 1_000;
        assert!((since_ms - now_ms()).abs() < 60_000, "{name}");
    }
}

#[test]
fn entries_that_a_dead_consumer_read_at_a_wrong_time_are_persisted_after_the_repair() {
    let machine = Machine::new();
    let redis = Redis::start_on(Some(&machine));
    let url = redis.url(PASSWORD, 0);
    let own_ms = || machine.now().timestamp_millis();
    block_on(async {
        let events = RedisStream::open(&url, identity(), 1).unwrap();
        events.create().await.unwrap();
        let repair = async || events.repair_clock(own_ms()).await.unwrap();
        // One entry of the right time, and one of the wrong time.
        redis.command(0, &["XADD", &stream(), "*", "kind", "seal"]);
        for ahead in [TimeDelta::days(3), TimeDelta::zero()] {
            machine.step_clock(ahead);
            if ahead > TimeDelta::zero() {
                redis.command(0, &["XADD", &stream(), "*", "kind", "seal"]);
                assert_eq!(events.read("dead", 100).await.unwrap().len(), 2);
            }
        }
        assert_eq!(events.read("alive", 100).await.unwrap().len(), 0);
        assert_eq!(repair().await, StreamRepair::Waiting);
        let entries = events.read("alive", 100).await.unwrap();
        assert_eq!(entries.len(), 2);
        let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
        events.acknowledge(&ids).await.unwrap();
        assert_eq!(repair().await, StreamRepair::Repaired(1));
    });
}

#[test]
fn a_fleet_continues_after_one_command_when_the_stream_was_ahead() {
    let servers = Servers::shared();
    let env = TestEnv::new(&servers)
        .with("JWT_SECRET", SECRET)
        .with("INTAKE_SHARDS", 1);
    let env = Rc::new(env);
    let server = api(&env);
    let client = server.client();
    let (token, video) = block_on(async {
        let (_, owner) = client.user("owner").await;
        let (_, viewer) = client.user("viewer").await;
        (viewer, client.video(&owner, "film", 600).await)
    });
    let play = || {
        let path = format!("/videos/{video}/play");
        block_on(client.request("POST", &path, &token))
    };
    let stream = env.stream(0);
    add_future(&servers, env.number, &stream, "77");
    let refused = play().is(503);
    assert!(refused.retry_after.is_some(), "{refused:?}");
    let ready = block_on(client.request("GET", "/health/ready", "")).is(503);
    let text = ready.json().to_string();
    assert!(text.contains("`balance clock repair`"), "{text}");
    let repair = || env.balance(&["clock", "repair"]).run();
    repair().failed(&["entries of the event stream are not persisted yet"]);
    let fleet = Fleet::start(&env, 1);
    until_drained(&env, &servers.redis, 1);
    let repaired = repair().succeeded().stdout;
    assert!(repaired.contains("set the event stream to 2"), "{repaired}");
    assert!(
        repaired.contains("moved 1 plays and pauses of later days to 2"),
        "{repaired}"
    );
    block_on(client.request("GET", "/health/ready", "")).is(200);
    play().is(200);
    until_drained(&env, &servers.redis, 2);
    let dates = env.database.rows("SELECT DISTINCT date FROM play_history");
    assert_eq!(dates.len(), 1, "{dates:?}");
    let audit = env
        .database
        .value("SELECT COUNT(*) FROM audit WHERE action = 'REPAIR_CLOCK'");
    assert_eq!(audit, "1");
    let right = repair().succeeded().stdout;
    assert!(right.contains("nothing was ahead of it"), "{right}");
    fleet.end();
    server.end().succeeded();
}
