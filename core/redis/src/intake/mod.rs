//! The fleet's intake: one Lua script handles a play, another a pause. Each script appends the
//! acknowledged event to the stream.

mod readiness;

use crate::{
    backlog::restore_lag,
    clock::{self, TOLERANCE_MS},
    connection::{self, Connection, ConnectionError, Timeouts},
    event,
    identity::missing_reason,
    keys::{CONSUMER_GROUP, RequestKeys, Shard},
};
use ::redis::{RedisError, Script, ScriptInvocation};
use async_trait::async_trait;
use balance_domain::{
    calendar::BusinessTimezone,
    clock::Clock,
    playback::PlaybackRate,
    units::{MICROS_PER_MS, SECONDS_PER_DAY},
    videos::{AdId, AdInterval},
};
use balance_service::playback::{
    RulesFeed,
    intake::{Intake, IntakeError},
};
use balance_store::{
    events::StreamIdentity,
    playback::{Command, IntakeAnswer, IntakeRequest, Lifetimes, SUPPRESSED_DAYS},
};
use std::{
    sync::{Arc, LazyLock, atomic::AtomicBool},
    time::Duration,
};

/// Maximum time for a call, including the time to connect.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const TIMEOUTS: Timeouts = Timeouts {
    answer: ANSWER_LIMIT,
    connect: Duration::from_secs(1),
    retries: 1,
};
/// Lifetime of suppressed counts, in seconds.
const SUPPRESSED_S: i64 = SUPPRESSED_DAYS as i64 * SECONDS_PER_DAY as i64;

static PLAY: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../../../../lua/viewer.lua"),
        include_str!("../../../../lua/view_increment.lua")
    ))
});
static PAUSE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../../../../lua/viewer.lua"),
        include_str!("../../../../lua/pause.lua")
    ))
});

/// The settings of the intake of a fleet.
#[derive(Debug, Clone, Copy)]
pub struct IntakeSettings {
    /// The number of event streams.
    pub shards: u16,
    /// The maximum number of entries of a shard that may wait to be persisted.
    pub backlog_max: u64,
    pub lifetimes: Lifetimes,
    /// Selects the day of suppressed counts.
    pub timezone: BusinessTimezone,
}

/// The intake of a fleet.
pub struct RedisIntake {
    connection: Connection,
    identity: StreamIdentity,
    settings: IntakeSettings,
    rules: RulesFeed,
    clock: Arc<dyn Clock>,
    /// Whether the log has warned about delayed writes to disk.
    has_warned: AtomicBool,
}

impl RedisIntake {
    /// Opens the intake on the server at `url`. Connects on first use.
    ///
    /// The rules of `rules` decide about each request. `clock` selects the day of suppressed counts; the
    /// entry id of an event selects the event's day.
    ///
    /// # Errors
    /// Returns an error if the URL is invalid. The error does not repeat the URL, which may contain a
    /// password.
    pub fn open(
        url: &str,
        identity: StreamIdentity,
        settings: IntakeSettings,
        rules: RulesFeed,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IntakeError> {
        let connection = connection::open(url, TIMEOUTS).map_err(from_connection)?;
        Ok(Self {
            connection,
            identity,
            settings,
            rules,
            clock,
            has_warned: AtomicBool::new(false),
        })
    }

    /// Calls `lua/view_increment.lua` with all its keys.
    async fn play(&self, request: &IntakeRequest) -> Result<IntakeAnswer, IntakeError> {
        let keys = RequestKeys::new(request, &self.identity, self.settings.shards);
        let active = self.rules.current();
        let (rules, lifetimes) = (active.current.rules, self.settings.lifetimes);
        let limit = rules.view_limit();
        let mut call = PLAY.key(keys.view_count());
        call.key(keys.view_window())
            .key(keys.shard.stream())
            .key(keys.session())
            .key(self.suppressed(&keys)?)
            .key(keys.reply())
            .key(keys.shard.highest_ids())
            .key(keys.viewer())
            .arg(request.user_id.0)
            .arg(request.video.owner_id.0)
            .arg(rules.view_window_s)
            .arg(1)
            .arg(event::hex(request.event_id))
            .arg(request.video.id.0)
            .arg(lifetimes.resume_ttl_s(rules.view_window_s))
            .arg(SUPPRESSED_S)
            .arg(fingerprint(request))
            .arg(lifetimes.replay_s)
            .arg(self.settings.backlog_max)
            .arg(CONSUMER_GROUP)
            .arg(self.now_ms())
            .arg(TOLERANCE_MS)
            .arg(active.current.version)
            .arg(request.video.duration_s)
            .arg(account_age(request))
            .arg(lifetimes.budget_ttl_s(rules.view_window_s))
            .arg(limit.interval_micros())
            .arg(limit.burst())
            .arg(rules.min_watch_s);
        let reply = self.call(&call, keys.shard).await?;
        match reply.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["playing", position, counted] => Ok(IntakeAnswer::Playing {
                resume_at_s: number(position)?,
                is_counted: counted == "1",
            }),
            ["repeat", left_ms] => Ok(IntakeAnswer::Repeat {
                retry_after_ms: number(left_ms)?.max(1),
            }),
            ["too many", left_ms] => Ok(IntakeAnswer::TooManyViews {
                retry_after_ms: number(left_ms)?,
            }),
            ["reused"] => Ok(IntakeAnswer::KeyReused),
            _ => Err(self.rejection(&reply)),
        }
    }

    /// Calls `lua/pause.lua`.
    async fn pause(
        &self,
        request: &IntakeRequest,
        current_s: i64,
    ) -> Result<IntakeAnswer, IntakeError> {
        let keys = RequestKeys::new(request, &self.identity, self.settings.shards);
        let active = self.rules.current();
        let (rules, lifetimes) = (active.current.rules, self.settings.lifetimes);
        let interval = AdInterval::from_seconds(rules.ad_interval_s);
        let PlaybackRate(rate) = rules.playback_rate;
        let mut call = PAUSE.key(keys.shard.stream());
        call.key(keys.session())
            .key(self.suppressed(&keys)?)
            .key(keys.reply())
            .key(keys.viewer())
            .key(keys.view_count())
            .arg(request.user_id.0)
            .arg(request.video.owner_id.0)
            .arg(request.video.id.0)
            .arg(event::hex(request.event_id))
            .arg(current_s)
            .arg(request.video.duration_s)
            .arg(rate)
            .arg(lifetimes.resume_ttl_s(rules.view_window_s))
            .arg(SUPPRESSED_S)
            .arg(fingerprint(request))
            .arg(lifetimes.replay_s)
            .arg(self.settings.backlog_max)
            .arg(CONSUMER_GROUP)
            .arg(self.now_ms())
            .arg(TOLERANCE_MS)
            .arg(active.current.version)
            .arg(rules.ad_interval_s)
            .arg(ads_up_to(current_s, interval, &active.ads))
            .arg(account_age(request))
            .arg(lifetimes.budget_ttl_s(rules.view_window_s))
            .arg(rules.credit_burst_s)
            .arg(rules.max_unconfirmed_s)
            .arg(rules.min_watch_s);
        let reply = self.call(&call, keys.shard).await?;
        match reply.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["paused", credited, finished] => Ok(IntakeAnswer::Paused {
                credited_s: number(credited)?,
                is_finished: finished == "1",
            }),
            ["no session"] => Ok(IntakeAnswer::NoSession),
            ["too many", left_ms] => Ok(IntakeAnswer::TooManyPauses {
                retry_after_ms: number(left_ms)?,
            }),
            ["reused"] => Ok(IntakeAnswer::KeyReused),
            _ => Err(self.rejection(&reply)),
        }
    }

    /// Returns the error for a reply that both scripts have.
    fn rejection(&self, reply: &[String]) -> IntakeError {
        match reply.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["backlog", entries, _] => full(entries),
            ["missing"] => {
                // The address may lead to the server of the stream again.
                self.connection.leave();
                IntakeError::Unusable(missing_reason(&self.identity))
            }
            ["clock", server_ms] => {
                let reason = clock::differs_reason(clock::ms_of(server_ms), self.now_ms());
                IntakeError::Unusable(reason)
            }
            ["ahead", last, server_ms] => {
                let reason = clock::ahead_reason(clock::ms_of(last), clock::ms_of(server_ms));
                IntakeError::Unusable(reason)
            }
            _ => unexpected_reply(reply),
        }
    }

    fn now_ms(&self) -> i64 {
        self.clock.now_micros() / MICROS_PER_MS
    }

    /// Calls a script of a shard. If the script rejects the request because Redis does not know how
    /// many entries wait, restores that number and calls the script again.
    async fn call(
        &self,
        call: &ScriptInvocation<'_>,
        shard: Shard<'_>,
    ) -> Result<Vec<String>, IntakeError> {
        let mut connection = self.connection.clone();
        let reply = async {
            let reply: Vec<String> = call.invoke_async(&mut connection).await?;
            let is_unknown =
                matches!(reply.as_slice(), [name, _, known] if name == "backlog" && known == "0");
            if is_unknown && restore_lag(&mut connection, shard).await?.is_some() {
                return call.invoke_async(&mut connection).await;
            }
            Ok(reply)
        };
        match tokio::time::timeout(ANSWER_LIMIT, reply).await {
            Ok(reply) => reply.map_err(intake_error),
            Err(_) => {
                self.connection.leave();
                Err(IntakeError::Unavailable(format!(
                    "no answer within {} s",
                    ANSWER_LIMIT.as_secs()
                )))
            }
        }
    }

    /// Returns the key of today's suppressed counts.
    fn suppressed(&self, keys: &RequestKeys<'_>) -> Result<String, IntakeError> {
        let day = self.settings.timezone.day_of(self.clock.now_micros());
        let day = day.map_err(|error| IntakeError::Unusable(error.to_string()))?;
        Ok(keys.shard.suppressed(day.date))
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

    async fn readiness(&self) -> Result<(), IntakeError> {
        self.check_server().await
    }
}

/// Returns the text that identifies the request under its idempotency key; empty without a key.
fn fingerprint(request: &IntakeRequest) -> String {
    match &request.key {
        Some(_) => request.fingerprint(),
        None => String::new(),
    }
}

/// Returns the field `new` of the event; empty if the age of the account is unknown.
fn account_age(request: &IntakeRequest) -> &'static str {
    match request.is_new_account {
        Some(true) => "1",
        Some(false) => "0",
        None => "",
    }
}

/// Returns the ids of the ads that the slots up to a position show, each once, separated by commas.
fn ads_up_to(position_s: i64, interval: AdInterval, ads: &[AdId]) -> String {
    let slots = usize::try_from(interval.slots_up_to(position_s)).unwrap_or(0);
    let ids: Vec<String> = ads.iter().take(slots).map(ToString::to_string).collect();
    ids.join(",")
}

fn number(text: &str) -> Result<i64, IntakeError> {
    text.parse()
        .map_err(|_| IntakeError::Unusable(format!("unexpected reply of a script: '{text}'")))
}

fn full(entries: &str) -> IntakeError {
    IntakeError::Backlog {
        backlog: entries.parse().unwrap_or(u64::MAX),
    }
}

fn unexpected_reply(reply: &[String]) -> IntakeError {
    IntakeError::Unusable(format!("unexpected reply of a script: {reply:?}"))
}

fn intake_error(error: RedisError) -> IntakeError {
    from_connection(connection::connection_error(error))
}

fn from_connection(error: ConnectionError) -> IntakeError {
    match error {
        ConnectionError::Rejected(reason) => IntakeError::Unusable(reason.to_owned()),
        ConnectionError::NotWritable(reason) => IntakeError::NotWritable(reason),
        ConnectionError::Unavailable(reason) => IntakeError::Unavailable(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use balance_domain::videos::AdSchedule;

    #[test]
    fn the_ads_up_to_a_position_show_the_same_as_all() {
        let interval = AdInterval::from_seconds(10);
        let ads: Vec<AdId> = [3, 5, 8].map(AdId).to_vec();
        let all = AdSchedule::new(interval, ads.clone());
        for (position_s, expected) in [
            (9, ""),
            (10, "3"),
            (29, "3,5"),
            (30, "3,5,8"),
            (990, "3,5,8"),
        ] {
            let some = ads_up_to(position_s, interval, &ads);
            assert_eq!(some, expected);
            let some = some.split(',').filter_map(|id| id.parse().ok().map(AdId));
            let some = AdSchedule::new(interval, some.collect());
            assert!(some.shown(0, position_s).eq(all.shown(0, position_s)));
        }
    }
}
