//! Intakes for tests, and their requests.

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
    playback::{RulesFeed, intake::IntakeError},
};
use balance_store::{
    events::StreamIdentity,
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
use std::sync::Arc;

pub(crate) const OWNER: i64 = 9;
pub(crate) const RULES: PlayRules = PlayRules {
    view_window_s: 600,
    playback_rate: PlaybackRate(0),
    ad_interval_s: 300,
    ..PlayRules::DEFAULT
};
pub(super) const LIFETIMES: Lifetimes = Lifetimes {
    resume_ttl_s: 3_600,
    replay_s: 3_600,
};
/// The version of the rules of the tests.
pub(super) const VERSION: u32 = 1;
/// The ads of the tests.
pub(super) const ADS: [AdId; 2] = [AdId(4), AdId(9)];

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

pub(super) fn playing(resume_at_s: i64, is_counted: bool) -> IntakeAnswer {
    IntakeAnswer::Playing {
        resume_at_s,
        is_counted,
    }
}

pub(crate) fn paused(credited_s: i64, is_finished: bool) -> IntakeAnswer {
    IntakeAnswer::Paused {
        credited_s,
        is_finished,
    }
}
