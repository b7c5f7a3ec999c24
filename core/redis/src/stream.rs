//! The streams of events on Redis, as those see them who write them down: read by one consumer
//! group, acknowledged after the commit, sealed at a day's end, trimmed when they are old.

use crate::{
    connection::{self, ConnectionError, Timeouts},
    event,
    shard::Shard,
};
use ::redis::{
    FromRedisValue, RedisError, Script,
    aio::ConnectionManager,
    streams::{
        StreamAutoClaimReply, StreamId, StreamInfoGroupsReply, StreamRangeReply, StreamReadReply,
    },
};
use async_trait::async_trait;
use balance_domain::videos::VideoId;
use balance_service::events::stream::{Closed, EventStream, Retained, StreamError, SuppressedPage};
use balance_store::{
    events::{Entry, EntryId, MAX_SHARDS, SuppressedCount},
    playback::SuppressedReason,
};
use chrono::NaiveDate;
use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

/// The one consumer group.
pub(crate) const GROUP: &str = "drain";
/// An entry that its consumer has had for so long, in milliseconds, is a dead one's.
const STALE_MS: u64 = 15_000;
/// A consumer that has nothing and has been silent for a day, in milliseconds, is forgotten.
const SILENT_MS: u64 = 86_400_000;
const TIMEOUTS: Timeouts = Timeouts {
    answer: Duration::from_secs(10),
    connect: Duration::from_secs(2),
    tries: 3,
};

static CLOSE_DAY: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/close_day.lua")));
static TRIM: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/trim.lua")));

/// The streams of a Redis server.
pub struct RedisStream {
    connection: ConnectionManager,
    shards: u16,
}

impl RedisStream {
    /// The streams of so many shards on the server of a URL. Connects when it is first used.
    ///
    /// # Errors
    /// Where the URL is none. It is not repeated: it may hold a password.
    pub fn open(url: &str, shards: u16) -> Result<Self, StreamError> {
        let connection = connection::open(url, TIMEOUTS).map_err(from_connection)?;
        Ok(Self { connection, shards })
    }

    /// What a consumer that died had, or, where there is none, what nobody has had.
    async fn read_shard(
        &self,
        shard: Shard,
        consumer: &str,
        limit: u32,
    ) -> Result<Vec<Entry>, RedisError> {
        let mut connection = self.connection.clone();
        let stale: StreamAutoClaimReply = ::redis::cmd("XAUTOCLAIM")
            .arg(shard.stream())
            .arg(GROUP)
            .arg(consumer)
            .arg(STALE_MS)
            .arg("0-0")
            .arg("COUNT")
            .arg(limit)
            .query_async(&mut connection)
            .await?;
        if !stale.claimed.is_empty() {
            return Ok(entries(shard, &stale.claimed));
        }
        let new: Option<StreamReadReply> = ::redis::cmd("XREADGROUP")
            .arg("GROUP")
            .arg(GROUP)
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
            .flat_map(|stream| entries(shard, &stream.ids))
            .collect())
    }

    /// As `lua/view_increment.lua` counts it.
    async fn waiting_in(&self, shard: Shard) -> Result<u64, RedisError> {
        let mut connection = self.connection.clone();
        let there: u64 = ::redis::cmd("XLEN")
            .arg(shard.stream())
            .query_async(&mut connection)
            .await?;
        if there == 0 {
            return Ok(0);
        }
        let groups: StreamInfoGroupsReply = ::redis::cmd("XINFO")
            .arg("GROUPS")
            .arg(shard.stream())
            .query_async(&mut connection)
            .await?;
        let group = groups.groups.into_iter().find(|group| group.name == GROUP);
        let waiting = group.and_then(|group| Some(group.lag? + group.pending));
        // Without a group, or with a lag that is not known, everything that is there may wait.
        Ok(waiting.map_or(there, |waiting| u64::try_from(waiting).unwrap_or(u64::MAX)))
    }

    async fn make_group(&self, shard: Shard) -> Result<(), RedisError> {
        let mut connection = self.connection.clone();
        let made: Result<(), RedisError> = ::redis::cmd("XGROUP")
            .arg("CREATE")
            .arg(shard.stream())
            .arg(GROUP)
            .arg("0")
            .arg("MKSTREAM")
            .query_async(&mut connection)
            .await;
        match made {
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            made => made,
        }
    }
}

#[async_trait]
impl EventStream for RedisStream {
    async fn read(&self, consumer: &str, limit: u32) -> Result<Vec<Entry>, StreamError> {
        let mut all = Vec::new();
        for shard in Shard::all(self.shards) {
            let read = match self.read_shard(shard, consumer, limit).await {
                Err(error) if error.code() == Some("NOGROUP") => {
                    self.make_group(shard).await.map_err(stream_error)?;
                    self.read_shard(shard, consumer, limit).await
                }
                read => read,
            };
            all.extend(read.map_err(stream_error)?);
        }
        Ok(all)
    }

    async fn waiting(&self) -> Result<Vec<u64>, StreamError> {
        let mut all = Vec::new();
        for shard in Shard::all(self.shards) {
            all.push(self.waiting_in(shard).await.map_err(stream_error)?);
        }
        Ok(all)
    }

    async fn acknowledge(&self, ids: &[EntryId]) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        for shard in Shard::all(self.shards) {
            let of_shard: Vec<String> = ids
                .iter()
                .filter(|id| id.shard == shard.0)
                .copied()
                .map(stream_id)
                .collect();
            if of_shard.is_empty() {
                continue;
            }
            ::redis::cmd("XACK")
                .arg(shard.stream())
                .arg(GROUP)
                .arg(of_shard)
                .query_async::<()>(&mut connection)
                .await
                .map_err(stream_error)?;
        }
        Ok(())
    }

    async fn close(&self, day_end_ms: i64) -> Result<Closed, StreamError> {
        let mut connection = self.connection.clone();
        let mut closed = Closed::Drained;
        for shard in Shard::all(self.shards) {
            let said: String = CLOSE_DAY
                .key(shard.stream())
                .arg(GROUP)
                .arg(day_end_ms)
                .invoke_async(&mut connection)
                .await
                .map_err(stream_error)?;
            // Every shard is asked: each must be sealed as soon as it can be.
            closed = match (said.as_str(), closed) {
                ("not over", _) => Closed::NotOver,
                ("waiting", Closed::Drained) => Closed::Waiting,
                ("waiting" | "drained", closed) => closed,
                (other, _) => return Err(StreamError(format!("close_day.lua said '{other}'"))),
            };
        }
        Ok(closed)
    }

    async fn trim(&self, before_ms: i64) -> Result<(), StreamError> {
        let mut connection = self.connection.clone();
        for shard in Shard::all(self.shards) {
            TRIM.key(shard.stream())
                .arg(GROUP)
                .arg(before_ms)
                .arg(SILENT_MS)
                .invoke_async::<u64>(&mut connection)
                .await
                .map_err(stream_error)?;
        }
        Ok(())
    }

    async fn retained(&self) -> Result<Vec<Retained>, StreamError> {
        let mut connection = self.connection.clone();
        let mut all = Vec::new();
        for shard in Shard::all(MAX_SHARDS) {
            // Both at one moment: trimming may come between two calls.
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
            let newest = newest.ids.first().and_then(|id| entry_id(shard, &id.id));
            all.extend(newest.map(|newest| Retained {
                shard: shard.0,
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
        let shard = Shard(upto.shard);
        let found: StreamRangeReply = ::redis::cmd("XRANGE")
            .arg(shard.stream())
            .arg(after.map_or_else(|| "-".to_owned(), |id| format!("({}", stream_id(id))))
            .arg(stream_id(upto))
            .arg("COUNT")
            .arg(limit)
            .query_async(&mut connection)
            .await
            .map_err(stream_error)?;
        Ok(entries(shard, &found.ids))
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
        let (next, counts): (u64, Vec<(Vec<u8>, Vec<u8>)>) = ::redis::cmd("HSCAN")
            .arg(Shard(shard).suppressed(date))
            .arg(cursor)
            .arg("COUNT")
            .arg(limit)
            .query_async(&mut connection)
            .await
            .map_err(stream_error)?;
        Ok(SuppressedPage {
            counts: counts
                .iter()
                .filter_map(|(field, count)| error_response(date, field, count))
                .collect(),
            next: (next != 0).then_some(next),
        })
    }
}

/// A count as the scripts keep it; nothing where it is none of theirs.
fn error_response(date: NaiveDate, field: &[u8], count: &[u8]) -> Option<SuppressedCount> {
    let (video, reason) = std::str::from_utf8(field).ok()?.split_once(':')?;
    let count = std::str::from_utf8(count).ok()?.parse().ok()?;
    (count > 0).then_some(SuppressedCount {
        date,
        video_id: VideoId(video.parse().ok()?),
        reason: SuppressedReason::ALL
            .into_iter()
            .find(|one| one.name() == reason)?,
        count,
    })
}

/// Entries as they were read. One without fields was trimmed while somebody had it.
fn entries(shard: Shard, ids: &[StreamId]) -> Vec<Entry> {
    ids.iter()
        .filter_map(|id| {
            let fields: BTreeMap<String, String> = id
                .map
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect();
            Some(Entry {
                id: entry_id(shard, &id.id)?,
                content: event::decode(&fields),
            })
        })
        .collect()
}

fn text(value: &::redis::Value) -> String {
    match value {
        ::redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => String::from_redis_value_ref(other).unwrap_or_default(),
    }
}

fn stream_id(id: EntryId) -> String {
    format!("{}-{}", id.ms, id.sequence)
}

fn entry_id(shard: Shard, id: &str) -> Option<EntryId> {
    let (ms, sequence) = id.split_once('-')?;
    Some(EntryId {
        shard: shard.0,
        ms: ms.parse().ok()?,
        sequence: sequence.parse().ok()?,
    })
}

fn stream_error(error: RedisError) -> StreamError {
    from_connection(connection::connection_error(error))
}

fn from_connection(error: ConnectionError) -> StreamError {
    match error {
        ConnectionError::Refused(reason) => StreamError(reason.to_owned()),
        ConnectionError::Unavailable(reason) => StreamError(reason),
    }
}
