//! The event stream of a fleet, as the event writers use it. One consumer group reads the entries and
//! acknowledges them after the commit. A seal marks the end of a day. Old entries are trimmed.

use crate::{
    backlog, clock,
    connection::{self, Connection, Timeouts, field},
    entry::{self, entry_id, stream_id},
    highest_ids, identity,
    keys::{CONSUMER_GROUP, Shard},
    stream_error::{from_connection, missing, stream_error},
    suppressed,
};
use ::redis::{
    RedisError, Script,
    streams::{StreamAutoClaimReply, StreamRangeReply, StreamReadReply},
};
use async_trait::async_trait;
use balance_domain::units::{MS_PER_HOUR, SECONDS_PER_DAY};
use balance_service::events::stream::{
    Closed, EventStream, Found, Memory, Renamed, Retained, SeenIds, StreamClock, StreamError,
    StreamRepair, SuppressedPage,
};
use balance_store::{
    events::{Entry, EntryId, MAX_SHARDS, StreamIdentity},
    operations::HighestIds,
};
use chrono::NaiveDate;
use std::{sync::LazyLock, time::Duration};

/// The time after which a pending entry is claimed by another consumer, in milliseconds.
const STALE_MS: u64 = 15_000;
/// The idle time after which a consumer without pending entries is deleted, in milliseconds.
const MAX_IDLE_MS: u64 = 24 * MS_PER_HOUR.unsigned_abs();
/// The time after which saved suppressed counts are deleted, in seconds.
const SAVED_SUPPRESSED_S: u32 = 2 * SECONDS_PER_DAY;
const TIMEOUTS: Timeouts = Timeouts {
    answer: Duration::from_secs(10),
    connect: Duration::from_secs(2),
    retries: 3,
};

static CREATE_GROUP: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/create_group.lua")));
static TRIM: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/trim.lua")));

/// The event stream on a Redis server: one stream per shard.
pub struct RedisStream {
    connection: Connection,
    identity: StreamIdentity,
    shards: u16,
}

impl RedisStream {
    /// Opens the streams of `shards` shards of an identity on the server at `url`. Connects on first
    /// use.
    ///
    /// # Errors
    /// Returns an error if the URL is invalid. The error does not repeat the URL, which may contain a
    /// password.
    pub fn open(url: &str, identity: StreamIdentity, shards: u16) -> Result<Self, StreamError> {
        let connection = connection::open(url, TIMEOUTS).map_err(from_connection)?;
        Ok(Self {
            connection,
            identity,
            shards,
        })
    }

    /// Rejects a replica. A command that only reads would not notice it.
    async fn check_master(&self) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        connection.check_master().await.map_err(from_connection)
    }

    /// Reads the pending entries of dead consumers. If there are none, reads new entries.
    async fn read_shard(
        &self,
        shard: Shard<'_>,
        consumer: &str,
        limit: u32,
    ) -> Result<Vec<Entry>, RedisError> {
        let mut connection = self.connection.clone();
        let stale: StreamAutoClaimReply = ::redis::cmd("XAUTOCLAIM")
            .arg(shard.stream())
            .arg(CONSUMER_GROUP)
            .arg(consumer)
            .arg(STALE_MS)
            .arg("0-0")
            .arg("COUNT")
            .arg(limit)
            .query_async(&mut connection)
            .await?;
        if !stale.claimed.is_empty() {
            return Ok(entry::decode(shard.number, &stale.claimed));
        }
        let new: Option<StreamReadReply> = ::redis::cmd("XREADGROUP")
            .arg("GROUP")
            .arg(CONSUMER_GROUP)
            .arg(consumer)
            .arg("COUNT")
            .arg(limit)
            .arg("STREAMS")
            .arg(shard.stream())
            .arg(">")
            .query_async(&mut connection)
            .await?;
        let streams = new.map_or_else(Vec::new, |reply| reply.keys);
        Ok(streams
            .iter()
            .flat_map(|stream| entry::decode(shard.number, &stream.ids))
            .collect())
    }

    /// Creates the consumer group of a stream that has none. A missing stream is an error.
    async fn create_group(&self, shard: Shard<'_>) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        let mut call = CREATE_GROUP.key(shard.stream());
        let call = call.arg(CONSUMER_GROUP);
        let created: String = call
            .invoke_async(&mut connection)
            .await
            .map_err(stream_error)?;
        match created.as_str() {
            "missing" => Err(missing(&self.identity)),
            _ => Ok(()),
        }
    }

    const fn shard(&self, number: u16) -> Shard<'_> {
        Shard {
            identity: &self.identity,
            number,
        }
    }

    fn all_shards(&self) -> impl Iterator<Item = Shard<'_>> {
        Shard::all(&self.identity, self.shards)
    }
}

#[async_trait]
impl EventStream for RedisStream {
    fn identity(&self) -> &StreamIdentity {
        &self.identity
    }

    async fn found(&self) -> Result<Found, StreamError> {
        let mut connection = self.connection.clone();
        identity::found(&mut connection, &self.identity, self.shards)
            .await
            .map_err(stream_error)
    }

    async fn origin(&self, candidate: &str) -> Result<String, StreamError> {
        let mut connection = self.connection.clone();
        identity::origin(&mut connection, &self.identity, candidate)
            .await
            .map_err(stream_error)
    }

    async fn create(&self) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        identity::create(&mut connection, &self.identity, self.shards)
            .await
            .map_err(stream_error)
    }

    async fn rename_unnamed(&self) -> Result<Renamed, StreamError> {
        let mut connection = self.connection.clone();
        identity::rename_unnamed(&mut connection, &self.identity)
            .await
            .map_err(stream_error)
    }

    async fn read(&self, consumer: &str, limit: u32) -> Result<Vec<Entry>, StreamError> {
        let mut all = Vec::new();
        for shard in self.all_shards() {
            let read = match self.read_shard(shard, consumer, limit).await {
                Err(error) if error.code() == Some("NOGROUP") => {
                    self.create_group(shard).await?;
                    self.read_shard(shard, consumer, limit).await
                }
                read => read,
            };
            all.extend(read.map_err(stream_error)?);
        }
        Ok(all)
    }

    async fn waiting(&self) -> Result<Vec<u64>, StreamError> {
        self.check_master().await?;
        let mut connection = self.connection.clone();
        let mut all = Vec::new();
        for shard in self.all_shards() {
            let waiting = backlog::waiting(&mut connection, shard).await;
            all.push(waiting.map_err(stream_error)?);
        }
        Ok(all)
    }

    async fn acknowledge(&self, ids: &[EntryId]) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        for shard in self.all_shards() {
            let of_shard: Vec<String> = ids
                .iter()
                .filter(|id| id.shard == shard.number)
                .copied()
                .map(stream_id)
                .collect();
            if of_shard.is_empty() {
                continue;
            }
            ::redis::cmd("XACK")
                .arg(shard.stream())
                .arg(CONSUMER_GROUP)
                .arg(of_shard)
                .query_async::<()>(&mut connection)
                .await
                .map_err(stream_error)?;
        }
        Ok(())
    }

    async fn close(&self, day_end_ms: i64, now_ms: i64) -> Result<Closed, StreamError> {
        let mut connection = self.connection.clone();
        clock::close(&mut connection, self.all_shards(), day_end_ms, now_ms).await
    }

    async fn clock(&self) -> Result<StreamClock, StreamError> {
        let mut connection = self.connection.clone();
        let clock = clock::read(&mut connection, self.all_shards()).await;
        clock.map_err(stream_error)
    }

    async fn repair_clock(&self, now_ms: i64) -> Result<StreamRepair, StreamError> {
        let mut connection = self.connection.clone();
        clock::repair(&mut connection, self.all_shards(), now_ms).await
    }

    async fn trim(&self, before_ms: i64) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        for shard in self.all_shards() {
            TRIM.key(shard.stream())
                .arg(CONSUMER_GROUP)
                .arg(before_ms)
                .arg(MAX_IDLE_MS)
                .invoke_async::<u64>(&mut connection)
                .await
                .map_err(stream_error)?;
        }
        Ok(())
    }

    async fn retained(&self) -> Result<Vec<Retained>, StreamError> {
        self.check_master().await?;
        let mut connection = self.connection.clone();
        let mut all = Vec::new();
        for shard in Shard::all(&self.identity, MAX_SHARDS) {
            // One transaction, because trimming could happen between the two commands.
            let (entries, newest): (u64, StreamRangeReply) = ::redis::pipe()
                .atomic()
                .cmd("XLEN")
                .arg(shard.stream())
                .cmd("XREVRANGE")
                .arg(shard.stream())
                .arg("+")
                .arg("-")
                .arg("COUNT")
                .arg(1)
                .query_async(&mut connection)
                .await
                .map_err(stream_error)?;
            let newest = newest
                .ids
                .first()
                .and_then(|id| entry_id(shard.number, &id.id));
            all.extend(newest.map(|newest| Retained {
                shard: shard.number,
                entries,
                newest,
            }));
        }
        Ok(all)
    }

    async fn reread(
        &self,
        after: Option<EntryId>,
        upto: EntryId,
        limit: u32,
    ) -> Result<Vec<Entry>, StreamError> {
        let mut connection = self.connection.clone();
        let stream = self.shard(upto.shard).stream();
        let found = entry::range(&mut connection, &stream, after, upto, limit).await;
        Ok(entry::decode(upto.shard, &found.map_err(stream_error)?.ids))
    }

    async fn reread_ids(
        &self,
        after: Option<EntryId>,
        upto: EntryId,
        limit: u32,
    ) -> Result<Vec<(EntryId, Option<SeenIds>)>, StreamError> {
        let mut connection = self.connection.clone();
        let stream = self.shard(upto.shard).stream();
        let found = entry::range(&mut connection, &stream, after, upto, limit).await;
        Ok(entry::decode_seen(
            upto.shard,
            &found.map_err(stream_error)?.ids,
        ))
    }

    fn shards(&self) -> u16 {
        self.shards
    }

    async fn suppressed(
        &self,
        shard: u16,
        date: NaiveDate,
        cursor: u64,
        limit: u32,
    ) -> Result<SuppressedPage, StreamError> {
        let mut connection = self.connection.clone();
        let key = self.shard(shard).suppressed(date);
        suppressed::page(&mut connection, &key, date, cursor, limit)
            .await
            .map_err(stream_error)
    }

    async fn expire_suppressed(&self, shard: u16, date: NaiveDate) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        ::redis::cmd("EXPIRE")
            .arg(self.shard(shard).suppressed(date))
            .arg(SAVED_SUPPRESSED_S)
            .arg("LT")
            .query_async(&mut connection)
            .await
            .map_err(stream_error)
    }

    async fn highest_ids(&self) -> Result<HighestIds, StreamError> {
        let mut connection = self.connection.clone();
        highest_ids::highest(&mut connection, &self.identity, self.shards)
            .await
            .map_err(stream_error)
    }

    async fn raise_highest_ids(&self, ids: HighestIds) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        highest_ids::raise(&mut connection, self.shard(0), ids)
            .await
            .map_err(stream_error)
    }

    async fn memory(&self) -> Result<Memory, StreamError> {
        let mut connection = self.connection.clone();
        let info = connection.info("memory").await.map_err(from_connection)?;
        let bytes = |name: &str| {
            let value = field(&info, name).parse::<u64>();
            value.map_err(|_| StreamError(format!("INFO lacks {name}")))
        };
        // Redis does not count its buffers against the limit.
        let buffers = bytes("mem_not_counted_for_evict").unwrap_or_default();
        Ok(Memory {
            used_bytes: bytes("used_memory")?.saturating_sub(buffers),
            max_bytes: bytes("maxmemory")?,
        })
    }
}
