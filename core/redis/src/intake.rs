//! The fleet's intake: one script for a play, one for a pause. What it answers is in the stream.

use crate::{
    connection::{self, ConnectionError, Timeouts},
    event,
    shard::Shard,
    stream::GROUP,
};
use ::redis::{RedisError, Script, ScriptInvocation, aio::ConnectionManager};
use async_trait::async_trait;
use balance_domain::{calendar::BusinessTimezone, clock::Clock, playback::PlaybackRate};
use balance_service::playback::intake::{Intake, IntakeError};
use balance_store::playback::{
    Command, IdempotencyKey, IntakeAnswer, IntakeRequest, IntakeRules, SUPPRESSED_DAYS,
};
use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long a call may take, connecting included.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const TIMEOUTS: Timeouts = Timeouts {
    answer: ANSWER_LIMIT,
    connect: Duration::from_secs(1),
    tries: 1,
};
/// How long the counts of refusals are kept, in seconds.
const SUPPRESSED_S: u32 = SUPPRESSED_DAYS * 86_400;

static PLAY: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/view_increment.lua")));
static PAUSE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/pause.lua")));

/// Takes in on Redis.
pub struct RedisIntake {
    connection: ConnectionManager,
    shards: u16,
    backlog_max: u64,
    rules: IntakeRules,
    timezone: BusinessTimezone,
    clock: Arc<dyn Clock>,
    /// Whether the log was told that a power cut may cost a second.
    has_warned: AtomicBool,
}

impl RedisIntake {
    /// The intake of so many shards on the server of a URL. Connects when it is first used.
    /// `backlog_max` entries of a shard may wait to be written down. Zone and clock only name the
    /// day that a refusal is counted for; an event's day is that of its id.
    ///
    /// # Errors
    /// Where the URL is none. It is not repeated: it may hold a password.
    pub fn open(
        url: &str,
        shards: u16,
        backlog_max: u64,
        rules: IntakeRules,
        timezone: BusinessTimezone,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IntakeError> {
        let connection = connection::open(url, TIMEOUTS).map_err(from_connection)?;
        Ok(Self {
            connection,
            shards,
            backlog_max,
            rules,
            timezone,
            clock,
            has_warned: AtomicBool::new(false),
        })
    }

    /// `lua/view_increment.lua`, with all its keys.
    async fn play(&self, request: &IntakeRequest) -> Result<IntakeAnswer, IntakeError> {
        let keys = Keys::of(request, self.shards);
        let mut call = PLAY.key(keys.count());
        call.key(keys.view_window())
            .key(keys.shard.stream())
            .key(keys.session())
            .key(self.suppressed(&keys)?)
            .key(keys.answer(request.key.as_ref()))
            .arg(request.user_id.0)
            .arg(request.video.owner_id.0)
            .arg(self.rules.view_window_s)
            .arg(1)
            .arg(event::hex(request.event_id))
            .arg(request.video.id.0)
            .arg(self.rules.resume_ttl_s)
            .arg(SUPPRESSED_S)
            .arg(fingerprint(request))
            .arg(self.rules.replay_s)
            .arg(self.backlog_max)
            .arg(GROUP);
        let said = self.call(&call).await?;
        match said.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["playing", position, counted] => Ok(IntakeAnswer::Playing {
                resume_at_s: number(position)?,
                is_counted: counted == "1",
            }),
            ["repeat", left_ms] => Ok(IntakeAnswer::Repeat {
                retry_after_ms: number(left_ms)?.max(1),
            }),
            ["backlog", entries] => Err(backlog(entries)),
            ["reused"] => Ok(IntakeAnswer::KeyReused),
            _ => Err(strange(&said)),
        }
    }

    /// `lua/pause.lua`.
    async fn pause(
        &self,
        request: &IntakeRequest,
        current_s: i64,
    ) -> Result<IntakeAnswer, IntakeError> {
        let keys = Keys::of(request, self.shards);
        let PlaybackRate(rate) = self.rules.playback_rate;
        let mut call = PAUSE.key(keys.shard.stream());
        call.key(keys.session())
            .key(self.suppressed(&keys)?)
            .key(keys.answer(request.key.as_ref()))
            .arg(request.user_id.0)
            .arg(request.video.owner_id.0)
            .arg(request.video.id.0)
            .arg(event::hex(request.event_id))
            .arg(current_s)
            .arg(request.video.duration_s)
            .arg(rate)
            .arg(self.rules.resume_ttl_s)
            .arg(SUPPRESSED_S)
            .arg(fingerprint(request))
            .arg(self.rules.replay_s)
            .arg(self.backlog_max)
            .arg(GROUP);
        let said = self.call(&call).await?;
        match said.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["paused", credited, finished] => Ok(IntakeAnswer::Paused {
                credited_s: number(credited)?,
                is_finished: finished == "1",
            }),
            ["no session"] => Ok(IntakeAnswer::NoSession),
            ["backlog", entries] => Err(backlog(entries)),
            ["reused"] => Ok(IntakeAnswer::KeyReused),
            _ => Err(strange(&said)),
        }
    }

    async fn call(&self, call: &ScriptInvocation<'_>) -> Result<Vec<String>, IntakeError> {
        let mut connection = self.connection.clone();
        let answer = call.invoke_async(&mut connection);
        match tokio::time::timeout(ANSWER_LIMIT, answer).await {
            Ok(answer) => answer.map_err(intake_error),
            Err(_) => Err(IntakeError::Unavailable(format!(
                "no answer within {} s",
                ANSWER_LIMIT.as_secs()
            ))),
        }
    }

    fn suppressed(&self, keys: &Keys) -> Result<String, IntakeError> {
        let day = self.timezone.day_of(self.clock.now_micros());
        let day = day.map_err(|error| IntakeError::Unusable(error.to_string()))?;
        Ok(keys.shard.suppressed(day.date))
    }

    /// Tells the log, once each time it becomes so, where what is acknowledged is not on the disk
    /// yet. A server that does not say how it is set up is taken at its word.
    async fn warn_of_delay(&self) {
        let mut connection = self.connection.clone();
        let said: Result<Vec<String>, RedisError> = ::redis::cmd("CONFIG")
            .arg("GET")
            .arg("appendfsync")
            .query_async(&mut connection)
            .await;
        let policy = said.ok().and_then(|said| said.into_iter().nth(1));
        let is_delayed = policy.as_deref().is_some_and(|policy| policy != "always");
        if is_delayed && !self.has_warned.load(Ordering::Relaxed) {
            let policy = policy.unwrap_or_default();
            tracing::warn!(
                "appendfsync is {policy}, not always: a power cut loses plays that were acknowledged"
            );
        }
        self.has_warned.store(is_delayed, Ordering::Relaxed);
    }

    /// A value of the server's own account of itself.
    async fn info(&self, section: &str, name: &str) -> Result<String, IntakeError> {
        let mut connection = self.connection.clone();
        let text: String = ::redis::cmd("INFO")
            .arg(section)
            .query_async(&mut connection)
            .await
            .map_err(intake_error)?;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(value.unwrap_or_default().trim().to_owned())
    }
}

#[async_trait]
impl Intake for RedisIntake {
    async fn accept(&self, request: IntakeRequest) -> Result<IntakeAnswer, IntakeError> {
        match request.command {
            Command::Play => self.play(&request).await,
            Command::Pause { current_s } => self.pause(&request, current_s).await,
        }
    }

    /// Refuses a server that could lose what was acknowledged.
    async fn readiness(&self) -> Result<(), IntakeError> {
        if self.info("persistence", "aof_enabled").await? != "1" {
            return Err(IntakeError::Unusable(
                "appendonly is off: what it acknowledged would be lost in a restart".to_owned(),
            ));
        }
        let policy = self.info("memory", "maxmemory_policy").await?;
        if policy != "noeviction" {
            return Err(IntakeError::Unusable(format!(
                "maxmemory-policy is {policy}, not noeviction: it would throw plays away"
            )));
        }
        self.warn_of_delay().await;
        Ok(())
    }
}

/// The keys of one user and video.
struct Keys {
    shard: Shard,
    user: i64,
    video: i64,
}

impl Keys {
    fn of(request: &IntakeRequest, shards: u16) -> Self {
        Self {
            shard: Shard::of(request.video.id, shards),
            user: request.user_id.0,
            video: request.video.id.0,
        }
    }

    fn count(&self) -> String {
        self.shard.key(&format!("views:{}", self.video))
    }

    fn view_window(&self) -> String {
        self.shard
            .key(&format!("gate:{}:{}", self.user, self.video))
    }

    fn session(&self) -> String {
        self.shard
            .key(&format!("session:{}:{}", self.user, self.video))
    }

    /// Where the answer to the client's key is; without one the key is not used.
    fn answer(&self, key: Option<&IdempotencyKey>) -> String {
        let key = key.map_or("", IdempotencyKey::as_str);
        self.shard.key(&format!("answer:{}:{key}", self.user))
    }
}

fn fingerprint(request: &IntakeRequest) -> String {
    match (&request.key, request.command) {
        (None, _) => String::new(),
        (Some(_), Command::Play) => format!("play {}", request.video.id),
        (Some(_), Command::Pause { current_s }) => {
            format!("pause {} {current_s}", request.video.id)
        }
    }
}

fn number(text: &str) -> Result<i64, IntakeError> {
    text.parse()
        .map_err(|_| IntakeError::Unusable(format!("a script answered '{text}'")))
}

fn backlog(entries: &str) -> IntakeError {
    IntakeError::Backlog {
        backlog: entries.parse().unwrap_or(u64::MAX),
    }
}

fn strange(said: &[String]) -> IntakeError {
    IntakeError::Unusable(format!("a script answered {said:?}"))
}

fn intake_error(error: RedisError) -> IntakeError {
    from_connection(connection::connection_error(error))
}

fn from_connection(error: ConnectionError) -> IntakeError {
    match error {
        ConnectionError::Refused(reason) => IntakeError::Unusable(reason.to_owned()),
        ConnectionError::Unavailable(reason) => IntakeError::Unavailable(reason),
    }
}
