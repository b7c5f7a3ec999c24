//! The checks of the intake's server, for the readiness of a process.

use crate::{
    backlog,
    clock::{self, TOLERANCE_MS},
    connection::field,
    identity::{self, missing_reason},
    intake::{RedisIntake, from_connection, intake_error},
    keys::Shard,
};
use ::redis::{RedisError, Script};
use balance_domain::units::MICROS_PER_MS;
use balance_service::{
    events::{identity::list, stream::Found},
    playback::intake::IntakeError,
};
use balance_store::events::StreamLayout;
use std::sync::{LazyLock, atomic::Ordering};

static CHECK_WRITABLE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../../lua/check_writable.lua")));

impl RedisIntake {
    /// Rejects a server that accepts no writes, could lose acknowledged events, lacks the stream or has
    /// another time.
    pub(super) async fn check_server(&self) -> Result<(), IntakeError> {
        self.check_writable().await?;
        let mut connection = self.connection.clone();
        let info = connection.info("default").await.map_err(from_connection)?;
        if field(&info, "aof_enabled") != "1" {
            return Err(IntakeError::Unusable(
                "appendonly is off: a restart would lose acknowledged plays".to_owned(),
            ));
        }
        let policy = field(&info, "maxmemory_policy");
        if policy != "noeviction" {
            return Err(IntakeError::Unusable(format!(
                "maxmemory-policy is {policy}, not noeviction: it could evict acknowledged plays"
            )));
        }
        self.warn_of_delay().await;
        let mut connection = self.connection.clone();
        let found = identity::found(&mut connection, &self.identity, self.settings.shards)
            .await
            .map_err(intake_error)?;
        self.check_streams(&found).await?;
        self.check_clock().await
    }

    /// Rejects a server without the streams by viewer, or with streams by video beside them.
    async fn check_streams(&self, found: &Found) -> Result<(), IntakeError> {
        let (identity, shards) = (&self.identity, self.settings.shards);
        if found.missing.is_empty() && found.by_video.is_empty() {
            return Ok(());
        }
        let reason = if found.missing.len() < usize::from(shards) && !found.by_video.is_empty() {
            format!(
                "the event stream {identity} has streams of the layout by video beside those by viewer: \
                 a process of an older version runs"
            )
        } else if !found.by_video.is_empty() {
            let mut connection = self.connection.clone();
            let mut waiting = 0_u64;
            for shard in Shard::all(identity, StreamLayout::ByVideo, shards) {
                let of_shard = backlog::waiting(&mut connection, shard).await;
                waiting = waiting.saturating_add(of_shard.map_err(intake_error)?);
            }
            format!(
                "the event stream {identity} is sharded by video until workers of this version have \
                 persisted its entries and moved its keys: {waiting} entries wait in {} of {shards} shards",
                found.by_video.len(),
            )
        } else {
            format!(
                "{}; this server has the event streams of other databases: {}",
                missing_reason(identity),
                list(&found.others)
            )
        };
        Err(IntakeError::Unusable(reason))
    }

    /// Asks the server whether it accepts writes that need memory.
    async fn check_writable(&self) -> Result<(), IntakeError> {
        let mut connection = self.connection.clone();
        let checked = CHECK_WRITABLE.invoke_async::<_, ()>(&mut connection).await;
        checked.map_err(intake_error)
    }

    /// Rejects a server with another time than this process, and a stream that is ahead.
    async fn check_clock(&self) -> Result<(), IntakeError> {
        let mut connection = self.connection.clone();
        let shards = Shard::all(&self.identity, StreamLayout::ByViewer, self.settings.shards);
        let found = clock::read(&mut connection, shards).await;
        let found = found.map_err(intake_error)?;
        let [now_ms, last_ms] =
            [found.now_micros, found.last_micros].map(|micros| micros / MICROS_PER_MS);
        if (now_ms - self.now_ms()).abs() > TOLERANCE_MS {
            let reason = clock::differs_reason(now_ms, self.now_ms());
            return Err(IntakeError::Unusable(reason));
        }
        if last_ms > now_ms + TOLERANCE_MS {
            return Err(IntakeError::Unusable(clock::ahead_reason(last_ms, now_ms)));
        }
        Ok(())
    }

    /// Warns in the log if the server acknowledges events before they are on disk. Repeats the warning
    /// only after the policy has been `always` in between. Does not warn if the server rejects CONFIG.
    async fn warn_of_delay(&self) {
        let mut connection = self.connection.clone();
        let reply: Result<Vec<String>, RedisError> = ::redis::cmd("CONFIG")
            .arg("GET")
            .arg("appendfsync")
            .query_async(&mut connection)
            .await;
        let policy = reply.ok().and_then(|reply| reply.into_iter().nth(1));
        let is_delayed = policy.as_deref().is_some_and(|policy| policy != "always");
        if is_delayed && !self.has_warned.load(Ordering::Relaxed) {
            let policy = policy.unwrap_or_default();
            tracing::warn!(
                "appendfsync is {policy}, not always: a power failure loses acknowledged plays"
            );
        }
        self.has_warned.store(is_delayed, Ordering::Relaxed);
    }
}
