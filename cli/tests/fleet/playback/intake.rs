//! The intake: one suite for both adapters, on a clock that the tests cannot set.

use crate::queue::notifier::shared;
use balance_domain::{
    accounts::UserId,
    calendar::BusinessTimezone,
    clock::{Clock, SystemClock},
    playback::{EventId, PlayRules, PlaybackRate},
    videos::{AdId, VideoId},
};
use balance_redis::{IntakeSettings, RedisIntake, RedisStream};
use balance_service::{
    events::stream::EventStream,
    playback::{
        EmbeddedIntake, RulesFeed,
        intake::{Intake, IntakeError},
    },
};
use balance_store::{
    Store,
    events::{Content, EventKind, StreamIdentity},
    playback::{
        ActiveRules, Command, IdempotencyKey, IntakeAnswer, IntakeRequest, Lifetimes, RulesVersion,
        VideoFacts,
    },
};
use balance_test_support::{
    servers::{PASSWORD, Servers},
    stream::identity,
};
use chrono::NaiveDateTime;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tempfile::TempDir;

pub(crate) const OWNER: i64 = 9;
pub(crate) const RULES: PlayRules = PlayRules {
    view_window_s: 600,
    playback_rate: PlaybackRate(0),
    ad_interval_s: 300,
    ..PlayRules::DEFAULT
};
const LIFETIMES: Lifetimes = Lifetimes {
    resume_ttl_s: 3_600,
    replay_s: 3_600,
};
/// The version of the rules of the tests.
const VERSION: u32 = 1;
/// The ads of the tests.
const ADS: [AdId; 2] = [AdId(4), AdId(9)];

/// Opens the intake of a server with rules that never change.
pub(crate) fn opened(
    url: &str,
    shards: u16,
    backlog_max: u64,
    rules: PlayRules,
) -> Result<RedisIntake, IntakeError> {
    let clock = Arc::new(SystemClock);
    opened_as(url, identity(), shards, backlog_max, rules, clock)
}

/// Opens the intake as [`opened`] does, with the identity of a stream and a clock.
pub(crate) fn opened_as(
    url: &str,
    identity: StreamIdentity,
    shards: u16,
    backlog_max: u64,
    rules: PlayRules,
    clock: Arc<dyn Clock>,
) -> Result<RedisIntake, IntakeError> {
    let settings = IntakeSettings {
        shards,
        backlog_max,
        lifetimes: LIFETIMES,
        timezone: timezone(),
    };
    let active = ActiveRules {
        current: RulesVersion {
            version: VERSION,
            rules,
            set_at: NaiveDateTime::default(),
        },
        ads: ADS.to_vec(),
    };
    let rules = RulesFeed::fixed(active);
    RedisIntake::open(url, identity, settings, rules, clock)
}

pub(crate) fn timezone() -> BusinessTimezone {
    "Asia/Seoul".parse().unwrap()
}

/// Creates the streams of a server, without entries.
pub(crate) async fn created_stream(url: &str, shards: u16) -> RedisStream {
    let stream = RedisStream::open(url, identity(), shards).unwrap();
    stream.create().await.unwrap();
    stream
}

/// Opens a stream of one shard and its intake, in which a number of entries may wait.
pub(crate) async fn bounded(
    servers: &Servers,
    database: u32,
    backlog_max: u64,
) -> (RedisStream, RedisIntake) {
    let url = servers.redis.url(PASSWORD, database);
    let stream = created_stream(&url, 1).await;
    let intake = opened(&url, 1, backlog_max, RULES);
    (stream, intake.unwrap())
}

/// Opens the intake on a numbered database.
pub(crate) async fn on_redis(
    servers: &Servers,
    database: u32,
    shards: u16,
    rules: PlayRules,
) -> RedisIntake {
    let url = servers.redis.url(PASSWORD, database);
    created_stream(&url, shards).await;
    opened(&url, shards, 1_000_000, rules).unwrap()
}

/// An intake, and access to its persisted events.
struct Adapter {
    name: &'static str,
    intake: Arc<dyn Intake>,
    events: Events,
}

enum Events {
    File(TempDir),
    Stream {
        stream: RedisStream,
        /// Keeps the servers running while the stream is read.
        _servers: Arc<Servers>,
    },
}

impl Events {
    /// Returns the IDs of the persisted events.
    async fn ids(&self) -> Vec<EventId> {
        match self {
            Self::File(folder) => {
                let path = folder.path().join("balance.db");
                let sql = "SELECT event_id FROM play_history";
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
                let rows: Vec<(Vec<u8>,)> = sqlx::query_as(sql)
                    .fetch_all(&mut connection)
                    .await
                    .unwrap();
                rows.into_iter()
                    .map(|(id,)| EventId(id.try_into().unwrap()))
                    .collect()
            }
            Self::Stream { stream, .. } => {
                let entries = stream.read("test", 100_000).await.unwrap();
                entries
                    .into_iter()
                    .map(|entry| match entry.content {
                        Content::Event(event) => event.id,
                        content => panic!("{content:?}"),
                    })
                    .collect()
            }
        }
    }
}

/// Returns both adapters, without events.
async fn adapters(rules: PlayRules) -> [Adapter; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("balance.db");
    let store = Store::open_sqlite(&path, 2, Arc::new(SystemClock)).await;
    let store: Arc<Store> = Arc::new(store.unwrap());
    let stored = store.play_rules_or_insert(&rules.into()).await.unwrap();
    assert_eq!(stored.version, VERSION);
    let servers = shared().await;
    let database = servers.next_database();
    let stream = RedisStream::open(&servers.redis.url(PASSWORD, database), identity(), 1).unwrap();
    [
        Adapter {
            name: "embedded",
            intake: Arc::new(EmbeddedIntake::start(store, LIFETIMES, timezone())),
            events: Events::File(folder),
        },
        Adapter {
            name: "Redis",
            intake: Arc::new(on_redis(&servers, database, 1, rules).await),
            events: Events::Stream {
                stream,
                _servers: servers,
            },
        },
    ]
}

pub(crate) fn request(user: i64, video: i64, command: Command) -> IntakeRequest {
    IntakeRequest {
        is_new_account: None,
        event_id: EventId(rand::random()),
        user_id: UserId(user),
        video: VideoFacts {
            id: VideoId(video),
            owner_id: UserId(OWNER),
            duration_s: 1_000,
        },
        command,
        key: None,
    }
}

pub(crate) fn named(mut request: IntakeRequest, key: &str) -> IntakeRequest {
    request.key = IdempotencyKey::parse(key);
    request
}

async fn play(intake: &dyn Intake, user: i64) -> IntakeAnswer {
    intake
        .accept(request(user, 1, Command::Play))
        .await
        .unwrap()
}

async fn pause(intake: &dyn Intake, user: i64, current_s: i64) -> IntakeAnswer {
    let pause = request(user, 1, Command::Pause { current_s });
    intake.accept(pause).await.unwrap()
}

fn playing(resume_at_s: i64, is_counted: bool) -> IntakeAnswer {
    IntakeAnswer::Playing {
        resume_at_s,
        is_counted,
    }
}

fn paused(credited_s: i64, is_finished: bool) -> IntakeAnswer {
    IntakeAnswer::Paused {
        credited_s,
        is_finished,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_from_start_to_end() {
    for Adapter {
        name,
        intake,
        events,
    } in adapters(RULES).await
    {
        let intake = intake.as_ref();
        assert_eq!(pause(intake, 1, 5).await, IntakeAnswer::NoSession, "{name}");
        assert_eq!(play(intake, 1).await, playing(0, true), "{name}");
        assert_eq!(pause(intake, 1, 120).await, paused(120, false), "{name}");
        assert_eq!(pause(intake, 1, 100).await, paused(0, false), "{name}");
        assert_eq!(pause(intake, 1, 130).await, paused(30, false), "{name}");
        let IntakeAnswer::Repeat { retry_after_ms } = play(intake, 1).await else {
            panic!("{name}: within the window");
        };
        assert!((1..=600_000).contains(&retry_after_ms), "{name}");
        assert_eq!(pause(intake, 1, 200).await, paused(70, false), "{name}");
        assert_eq!(pause(intake, 1, 1_000).await, paused(800, true), "{name}");
        assert_eq!(
            pause(intake, 1, 10).await,
            IntakeAnswer::NoSession,
            "{name}"
        );
        // The owner has no view window and no credit, but a position.
        assert_eq!(play(intake, OWNER).await, playing(0, false), "{name}");
        assert_eq!(pause(intake, OWNER, 300).await, paused(0, false), "{name}");
        assert_eq!(play(intake, OWNER).await, playing(300, false), "{name}");
        // Each accepted request is persisted once; rejected requests are not.
        let ids = events.ids().await;
        let different: HashSet<EventId> = ids.iter().copied().collect();
        assert_eq!((ids.len(), different.len()), (9, 9), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_counts_again_when_the_window_is_over() {
    let rules = PlayRules {
        view_window_s: 1,
        ..RULES
    };
    for Adapter { name, intake, .. } in adapters(rules).await {
        let began = std::time::Instant::now();
        assert_eq!(play(intake.as_ref(), 1).await, playing(0, true), "{name}");
        let mut repeats = 0;
        while let IntakeAnswer::Repeat { retry_after_ms } = play(intake.as_ref(), 1).await {
            assert!((1..=1_000).contains(&retry_after_ms), "{name}");
            repeats += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(repeats > 0, "{name}");
        assert!(began.elapsed() >= Duration::from_millis(990), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_concurrent_plays_of_a_hundred_users_count_a_hundred_times() {
    for Adapter {
        name,
        intake,
        events,
    } in adapters(RULES).await
    {
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..1_000 {
            let intake = Arc::clone(&intake);
            clients.spawn(async move { play(intake.as_ref(), 100 + client % 100).await });
        }
        let answers = clients.join_all().await;
        let counted = answers.iter().filter(|one| **one == playing(0, true));
        assert_eq!(counted.count(), 100, "{name}");
        let is_repeat = |one: &&IntakeAnswer| matches!(one, IntakeAnswer::Repeat { .. });
        assert_eq!(answers.iter().filter(is_repeat).count(), 900, "{name}");
        assert_eq!(events.ids().await.len(), 100, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seconds_beyond_the_clock_are_not_credited() {
    let rules = PlayRules {
        playback_rate: PlaybackRate(2_000),
        ..RULES
    };
    for Adapter {
        name,
        intake,
        events,
    } in adapters(rules).await
    {
        let began = std::time::Instant::now();
        play(intake.as_ref(), 1).await;
        let mut earned_s = 0;
        for current_s in [900, 0, 900, 10, 800] {
            let IntakeAnswer::Paused { credited_s, .. } =
                pause(intake.as_ref(), 1, current_s).await
            else {
                panic!("{name}");
            };
            assert!(credited_s >= 0, "{name}");
            earned_s += credited_s;
        }
        let elapsed_s = i64::try_from(began.elapsed().as_secs()).unwrap();
        let most_s = 5 * 5 + 2 * (elapsed_s + 1);
        assert!((15..=most_s).contains(&earned_s), "{name}: {earned_s}");
        if let Events::Stream { stream, .. } = events {
            let entries = stream.read("test", 100).await.unwrap();
            let reported: i64 = entries
                .iter()
                .map(|entry| match &entry.content {
                    Content::Event(event) => match event.kind {
                        EventKind::Pause { reported_s, .. } => reported_s,
                        EventKind::Play { .. } => 0,
                    },
                    content => panic!("{content:?}"),
                })
                .sum();
            assert_eq!(reported, 900 + 900 + 790, "the reported seconds are stored");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_key_is_done_once_however_often_it_is_sent() {
    for Adapter {
        name,
        intake,
        events,
    } in adapters(RULES).await
    {
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let intake = Arc::clone(&intake);
            let play = named(request(1, 1, Command::Play), "a");
            clients.spawn(async move { intake.accept(play).await.unwrap() });
        }
        let answers = clients.join_all().await;
        assert_eq!(answers, [playing(0, true); 50], "{name}");
        let pause = |current_s| named(request(1, 1, Command::Pause { current_s }), "b");
        for _ in 0..3 {
            let answer = intake.accept(pause(77)).await.unwrap();
            assert_eq!(answer, paused(77, false), "{name}");
        }
        for reused in [
            pause(78),
            named(request(1, 1, Command::Play), "b"),
            named(request(1, 2, Command::Play), "a"),
        ] {
            let answer = intake.accept(reused).await.unwrap();
            assert_eq!(answer, IntakeAnswer::KeyReused, "{name}");
        }
        assert_eq!(events.ids().await.len(), 2, "{name}");
        // A rejected request has no effect, and can be repeated.
        let again = named(request(1, 1, Command::Play), "c");
        for _ in 0..2 {
            let answer = intake.accept(again.clone()).await.unwrap();
            assert!(matches!(answer, IntakeAnswer::Repeat { .. }), "{name}");
        }
        // Keys are separate for each user.
        let other = named(request(2, 1, Command::Play), "a");
        assert_eq!(
            intake.accept(other).await.unwrap(),
            playing(0, true),
            "{name}"
        );
        assert!(intake.readiness().await.is_ok(), "{name}");
    }
}
