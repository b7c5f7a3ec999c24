//! A chaos run of the upgrade from version 0.1: plays continue, and event writers are killed.

use crate::{
    events::upgrade::{HISTORY, LAYOUT, by_video},
    playback::intake::opened_as,
    worker::{Fleet, Worker},
};
use balance_domain::{
    accounts::UserId,
    clock::SystemClock,
    playback::{EventId, PlayRules, PlaybackRate},
    videos::VideoId,
};
use balance_redis::RedisIntake;
use balance_service::playback::intake::Intake;
use balance_store::playback::{Command, IdempotencyKey, IntakeAnswer, IntakeRequest, VideoFacts};
use balance_test_support::{
    process::until,
    servers::{PASSWORD, Servers},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// The script of a play in version 0.1.
const PLAY: &str = include_str!("play_by_video.lua");

/// The plays of the chaos run: each viewer plays each video.
struct Plays {
    next: AtomicU64,
    acknowledged: AtomicU64,
    by_video: AtomicU64,
    repeats: AtomicU64,
}

const SHARDS: u16 = 8;
const VIDEOS: u64 = 3;
const FIRST_VIEWER: u64 = 100_000;
const VIEWERS: &str = "user_id >= 100000";
const PLAYS: u64 = 12_000;
/// The first play that no process of version 0.1 receives.
const STOPPED_AT: u64 = 9_000;

impl Plays {
    fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }
}

/// Returns the request of a play, with an idempotency key.
fn request(number: u64) -> IntakeRequest {
    let (viewer, video) = (number / VIDEOS, 1 + number % VIDEOS);
    IntakeRequest {
        is_new_account: None,
        event_id: EventId(rand::random()),
        user_id: UserId(i64::try_from(FIRST_VIEWER + viewer).unwrap()),
        video: VideoFacts {
            id: VideoId(i64::try_from(video).unwrap()),
            owner_id: UserId(1),
            duration_s: 600,
        },
        command: Command::Play,
        key: IdempotencyKey::parse(&format!("play-{video}")),
    }
}

/// Calls the script of version 0.1 as its API did. Returns the first word of the reply.
async fn play_by_video(
    connection: &mut redis::aio::MultiplexedConnection,
    script: &redis::Script,
    identity: &str,
    request: &IntakeRequest,
) -> String {
    let shard = request.video.id.0 % i64::from(SHARDS);
    let key = |name: String| format!("{{{identity}:s{shard}}}:{name}");
    let (user, video) = (request.user_id.0, request.video.id.0);
    let id: String = request
        .event_id
        .0
        .map(|byte| format!("{byte:02x}"))
        .concat();
    let mut call = script.key(key(format!("views:{video}")));
    call.key(key(format!("gate:{user}:{video}")))
        .key(key("events".to_owned()))
        .key(key(format!("session:{user}:{video}")))
        .key(key("refused:2024-06-01".to_owned()))
        .key(key(format!("answer:{user}:play-{video}")))
        .arg(user)
        .arg(request.video.owner_id.0)
        .arg(3_600)
        .arg(1)
        .arg(id)
        .arg(video)
        .arg(3_600)
        .arg(3_600)
        .arg(request.fingerprint())
        .arg(3_600)
        .arg(1_000_000)
        .arg("drain");
    let reply: Vec<String> = call.invoke_async(connection).await.unwrap();
    reply[0].clone()
}

/// Repeats a request until it is answered: before the upgrade the intake is not ready.
async fn accepted(intake: &RedisIntake, request: &IntakeRequest) -> IntakeAnswer {
    loop {
        match intake.accept(request.clone()).await {
            Ok(answer) => return answer,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// A client that plays until all plays are acknowledged: through version 0.1 while its streams exist,
/// and then through this version.
async fn client(url: String, identity: String, plays: Arc<Plays>) {
    const RULES: PlayRules = PlayRules {
        view_window_s: 3_600,
        playback_rate: PlaybackRate(0),
        ad_interval_s: 300,
        ..PlayRules::DEFAULT
    };
    let redis = redis::Client::open(url.as_str()).unwrap();
    let patient = redis::AsyncConnectionConfig::new()
        .set_response_timeout(Some(Duration::from_secs(60)))
        .set_connection_timeout(Some(Duration::from_secs(60)));
    let connected = redis.get_multiplexed_async_connection_with_config(&patient);
    let mut connection = connected.await.unwrap();
    let script = redis::Script::new(PLAY);
    let clock = Arc::new(SystemClock);
    let of = identity.parse().unwrap();
    let intake = opened_as(&url, of, SHARDS, 1_000_000, RULES, clock);
    let intake = intake.unwrap();
    let mut first = None;
    loop {
        let number = plays.next.fetch_add(1, Ordering::SeqCst);
        if number >= PLAYS {
            return;
        }
        let request = request(number);
        // The operator stops the API processes of version 0.1.
        let reply = if number < STOPPED_AT {
            play_by_video(&mut connection, &script, &identity, &request).await
        } else {
            "stopped".to_owned()
        };
        match reply.as_str() {
            "playing" => {
                plays.by_video.fetch_add(1, Ordering::SeqCst);
            }
            "missing" | "stopped" => {
                let answer = accepted(&intake, &request).await;
                let playing = IntakeAnswer::Playing {
                    resume_at_s: 0,
                    is_counted: true,
                };
                assert_eq!(answer, playing, "play {number}");
            }
            reply => panic!("play {number}: {reply}"),
        }
        plays.acknowledged.fetch_add(1, Ordering::SeqCst);
        // The first play again: a repeat, and with its key the reply of the first time.
        let mut again = first.get_or_insert(request).clone();
        if number % 10 == 9 {
            let key = again.key.take();
            match intake.accept(again.clone()).await {
                Ok(IntakeAnswer::Repeat { .. }) => {
                    plays.repeats.fetch_add(1, Ordering::SeqCst);
                }
                Ok(answer) => panic!("play {number}: {answer:?}"),
                // Before the upgrade.
                Err(_) => continue,
            }
            again.key = key;
            let answer = accepted(&intake, &again).await;
            let is_playing = matches!(answer, IntakeAnswer::Playing { .. });
            assert!(is_playing, "play {number}: {answer:?}");
        }
    }
}

#[test]
fn plays_across_an_upgrade_with_killed_event_writers_are_counted_once() {
    let servers = Servers::shared();
    let env = by_video(&servers, SHARDS);
    let url = servers.redis.url(PASSWORD, env.number);
    let plays = Arc::new(Plays {
        next: AtomicU64::new(0),
        acknowledged: AtomicU64::new(0),
        by_video: AtomicU64::new(0),
        repeats: AtomicU64::new(0),
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut clients = JoinSet::new();
    for _ in 0..12 {
        let client = client(url.clone(), env.identity(), Arc::clone(&plays));
        clients.spawn_on(client, runtime.handle());
    }
    until("a part of the plays", || plays.acknowledged() >= PLAYS / 3);
    let mut fleet = Fleet::start(&env, 3);
    // Event writers are killed with entries that they have read.
    for round in 1..=4 {
        let written = env.database.number(HISTORY);
        until("more plays to be persisted", || {
            env.database.number(HISTORY) > written || env.database.number(LAYOUT) == 1
        });
        fleet.workers.remove(0).kill();
        eprintln!(
            "round {round}: killed with {} persisted and {} acknowledged plays",
            env.database.number(HISTORY),
            plays.acknowledged()
        );
        fleet
            .workers
            .push(Worker::start(&env, env.balance(&["worker"])));
    }
    until("the upgrade", || env.database.number(LAYOUT) == 1);
    let at_upgrade = plays.acknowledged();
    runtime.block_on(async { while clients.join_next().await.transpose().unwrap().is_some() {} });
    assert_eq!(plays.acknowledged(), PLAYS);
    let of_viewers = format!("{HISTORY} WHERE {VIEWERS}");
    until("all plays to be persisted", || {
        env.database.number(&of_viewers) >= PLAYS
    });
    until("all entries to be acknowledged", || {
        (0..SHARDS).all(|shard| {
            let group = ["XINFO", "GROUPS", &env.stream(shard)];
            let lines = servers.redis.command(env.number, &group);
            let value = |name: &str| {
                let at = lines.iter().position(|line| line == name).unwrap();
                lines[at + 1].clone()
            };
            value("lag") == "0" && value("pending") == "0"
        })
    });
    fleet.end();
    let (by_video, repeats) = (
        plays.by_video.load(Ordering::SeqCst),
        plays.repeats.load(Ordering::SeqCst),
    );
    eprintln!("{by_video} plays by video, {at_upgrade} at the upgrade, {repeats} repeats");
    assert!((1..PLAYS).contains(&by_video), "in the middle");
    assert!(repeats > 0, "view windows survive");
    let counts = format!(
        "SELECT COUNT(*), COUNT(DISTINCT event_id), COUNT(DISTINCT user_id, video_id), \
         SUM(counted) FROM play_history WHERE {VIEWERS}"
    );
    let expected = format!("{PLAYS}|{PLAYS}|{PLAYS}|{PLAYS}");
    assert_eq!(env.database.value(&counts), expected);
    for table in ["late_event", "rejected_event"] {
        assert_eq!(
            env.database
                .number(&format!("SELECT COUNT(*) FROM {table}")),
            0
        );
    }
    // The counts of a video are the sum over the shards.
    let sum = "local sum = 0 for _, key in ipairs(redis.call('KEYS', ARGV[1])) do \
               sum = sum + redis.call('GET', key) end return sum";
    let views = servers
        .redis
        .command(env.number, &["EVAL", sum, "0", "*:u*:views:*"]);
    assert_eq!(views, [PLAYS.to_string()]);
    env.balance(&["settle"]).run().succeeded();
}
