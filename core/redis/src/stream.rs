//! The event stream of a fleet, as the event writers use it. One consumer group reads the entries and
//! acknowledges them after the commit. A seal marks the end of a day. Old entries are trimmed.

use crate::{
    backlog, by_video, clock,
    connection::{self, Connection, Replication, Timeouts, field},
    entry::{self, entry_id},
    group, highest_ids, identity,
    keys::{CONSUMER_GROUP, Shard},
    stream_error::{from_connection, missing, stream_error},
    suppressed,
};
use ::redis::{Script, streams::StreamRangeReply};
use async_trait::async_trait;
use balance_domain::units::{MS_PER_HOUR, SECONDS_PER_DAY};
use balance_service::events::stream::{
    Closed, EventStream, Found, Memory, Renamed, Retained, SeenIds, StreamClock, StreamError,
    StreamKind, StreamRepair, SuppressedPage,
};
use balance_store::{
    events::{Entry, EntryId, MAX_SHARDS, StreamIdentity, StreamLayout, SuppressedShard},
    operations::HighestIds,
};
use chrono::NaiveDate;
use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};

/// The idle time after which a consumer without pending entries is deleted, in milliseconds.
const MAX_IDLE_MS: u64 = 24 * MS_PER_HOUR.unsigned_abs();
/// The time after which saved suppressed counts are deleted, in seconds.
const SAVED_SUPPRESSED_S: u32 = 2 * SECONDS_PER_DAY;
const TIMEOUTS: Timeouts = Timeouts {
    answer: Duration::from_secs(10),
    connect: Duration::from_secs(2),
    retries: 3,
};

static TRIM: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/trim.lua")));

/// The event stream on a Redis server: one stream per shard.
pub struct RedisStream {
    pub(crate) connection: Connection,
    pub(crate) identity: StreamIdentity,
    shards: u16,
    /// The replication of the server at the last check.
    replication: Mutex<Option<Replication>>,
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
            replication: Mutex::default(),
        })
    }

    /// Rejects a replica. A command that only reads would not notice it.
    async fn check_master(&self) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        connection.check_master().await.map_err(from_connection)
    }

    /// Rejects a stream that is not upgraded, or has streams of both layouts.
    async fn check_upgraded(&self) -> Result<(), StreamError> {
        if self.found().await?.by_video.is_empty() {
            return Ok(());
        }
        Err(StreamError(format!(
            "the event stream {} has streams of the layout by video, before or without an upgrade",
            self.identity
        )))
    }

    const fn shard(&self, layout: StreamLayout, number: u16) -> Shard<'_> {
        Shard {
            identity: &self.identity,
            layout,
            number,
        }
    }

    /// Returns the key of a stream.
    fn stream_key(&self, kind: StreamKind, number: u16) -> String {
        match kind {
            StreamKind::ByViewer => self.shard(StreamLayout::ByViewer, number).stream(),
            StreamKind::ByVideo => self.shard(StreamLayout::ByVideo, number).stream(),
            StreamKind::Retired => self.shard(StreamLayout::ByVideo, number).retired(),
        }
    }

    /// Reads at most `limit` entries of `retained`, from the one after `after`.
    async fn range(
        &self,
        retained: Retained,
        after: Option<EntryId>,
        limit: u32,
    ) -> Result<StreamRangeReply, StreamError> {
        let mut connection = self.connection.clone();
        let mut kind = retained.kind;
        loop {
            let key = self.stream_key(kind, retained.shard);
            let found = entry::range(&mut connection, &key, after, retained.newest, limit).await;
            let found = found.map_err(stream_error)?;
            if !found.ids.is_empty() || kind != StreamKind::ByVideo {
                return Ok(found);
            }
            // An upgrade may have retired the stream meanwhile.
            kind = StreamKind::Retired;
        }
    }

    fn all_shards(&self) -> impl Iterator<Item = Shard<'_>> {
        Shard::all(&self.identity, StreamLayout::ByViewer, self.shards)
    }

    pub(crate) fn shards_by_video(&self) -> impl Iterator<Item = Shard<'_>> {
        Shard::all(&self.identity, StreamLayout::ByVideo, self.shards)
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
        let mut connection = self.connection.clone();
        let mut all = Vec::new();
        for shard in self.all_shards() {
            let read = group::read(&mut connection, shard, consumer, limit).await;
            let entries = read.map_err(stream_error)?;
            all.extend(entries.ok_or_else(|| missing(&self.identity))?);
        }
        Ok(all)
    }

    async fn waiting(&self) -> Result<Vec<u64>, StreamError> {
        self.check_master().await?;
        let mut connection = self.connection.clone();
        let mut all = Vec::new();
        for (shard, by_video) in self.all_shards().zip(self.shards_by_video()) {
            let waiting = async {
                let waiting = backlog::waiting(&mut connection, shard).await?;
                let before = backlog::waiting(&mut connection, by_video).await?;
                Ok(waiting.saturating_add(before))
            };
            all.push(waiting.await.map_err(stream_error)?);
        }
        Ok(all)
    }

    async fn acknowledge(&self, ids: &[EntryId]) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        for shard in self.all_shards() {
            let acknowledged = group::acknowledge(&mut connection, shard, ids).await;
            acknowledged.map_err(stream_error)?;
        }
        Ok(())
    }

    async fn close(&self, day_end_ms: i64, now_ms: i64) -> Result<Closed, StreamError> {
        self.check_upgraded().await?;
        let mut connection = self.connection.clone();
        clock::close(&mut connection, self.all_shards(), day_end_ms, now_ms).await
    }

    async fn clock(&self) -> Result<StreamClock, StreamError> {
        let mut connection = self.connection.clone();
        let clock = clock::read(&mut connection, self.all_shards()).await;
        clock.map_err(stream_error)
    }

    async fn repair_clock(&self, now_ms: i64) -> Result<StreamRepair, StreamError> {
        self.check_upgraded().await?;
        let mut connection = self.connection.clone();
        let repaired = clock::repair(&mut connection, self.all_shards(), now_ms).await?;
        let (mut deleted, after_ms) = match repaired {
            StreamRepair::Repaired(deleted) => (deleted, now_ms),
            // A repair may have ended before it reached the retired streams.
            StreamRepair::Right => (0, now_ms + clock::TOLERANCE_MS),
            StreamRepair::Waiting | StreamRepair::WrongClock(_) => return Ok(repaired),
        };
        for shard in self.shards_by_video() {
            let of_shard = by_video::delete_later(&mut connection, shard, after_ms).await;
            deleted += of_shard.map_err(stream_error)?;
        }
        Ok(match repaired {
            StreamRepair::Right if deleted == 0 => repaired,
            _ => StreamRepair::Repaired(deleted),
        })
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
        for shard in self.shards_by_video() {
            let trimmed = by_video::trim_retired(&mut connection, shard, before_ms).await;
            trimmed.map_err(stream_error)?;
        }
        Ok(())
    }

    async fn retained(&self) -> Result<Vec<Retained>, StreamError> {
        self.check_master().await?;
        let mut connection = self.connection.clone();
        let mut all = Vec::new();
        let numbers = 0..MAX_SHARDS;
        let streams = numbers.flat_map(|shard| StreamKind::ALL.map(|kind| (kind, shard)));
        for (kind, shard) in streams {
            let key = self.stream_key(kind, shard);
            // One transaction, because trimming could happen between the two commands.
            let (entries, newest): (u64, StreamRangeReply) = ::redis::pipe()
                .atomic()
                .cmd("XLEN")
                .arg(&key)
                .cmd("XREVRANGE")
                .arg(&key)
                .arg("+")
                .arg("-")
                .arg("COUNT")
                .arg(1)
                .query_async(&mut connection)
                .await
                .map_err(stream_error)?;
            let newest = newest.ids.first().and_then(|id| entry_id(shard, &id.id));
            all.extend(newest.map(|newest| Retained {
                kind,
                shard,
                entries,
                newest,
            }));
        }
        Ok(all)
    }

    async fn reread(
        &self,
        retained: Retained,
        after: Option<EntryId>,
        limit: u32,
    ) -> Result<Vec<Entry>, StreamError> {
        let found = self.range(retained, after, limit).await?;
        Ok(entry::decode(retained.shard, &found.ids))
    }

    async fn reread_ids(
        &self,
        retained: Retained,
        after: Option<EntryId>,
        limit: u32,
    ) -> Result<Vec<(EntryId, Option<SeenIds>)>, StreamError> {
        let found = self.range(retained, after, limit).await?;
        Ok(entry::decode_seen(retained.shard, &found.ids))
    }

    fn shards(&self) -> u16 {
        self.shards
    }

    async fn suppressed(
        &self,
        shard: SuppressedShard,
        date: NaiveDate,
        cursor: u64,
        limit: u32,
    ) -> Result<SuppressedPage, StreamError> {
        let mut connection = self.connection.clone();
        let key = self.shard(shard.layout, shard.number).suppressed(date);
        suppressed::page(&mut connection, &key, shard, date, cursor, limit)
            .await
            .map_err(stream_error)
    }

    async fn expire_suppressed(
        &self,
        shard: SuppressedShard,
        date: NaiveDate,
    ) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        ::redis::cmd("EXPIRE")
            .arg(self.shard(shard.layout, shard.number).suppressed(date))
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
        highest_ids::raise(&mut connection, self.shard(StreamLayout::ByViewer, 0), ids)
            .await
            .map_err(stream_error)
    }

    async fn lost_bytes(&self) -> Result<u64, StreamError> {
        let mut connection = self.connection.clone();
        let now = connection.replication().await.map_err(from_connection)?;
        let mut last = self
            .replication
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let lost = last.as_ref().map_or(0, |last| now.lost_after(last));
        *last = Some(now);
        Ok(lost)
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
