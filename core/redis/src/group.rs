//! The consumer group of a shard's stream: reading and acknowledging entries.

use crate::{
    connection::Connection,
    entry::{self, stream_id},
    keys::{CONSUMER_GROUP, Shard},
};
use ::redis::{
    RedisError, Script,
    streams::{StreamAutoClaimReply, StreamReadReply},
};
use balance_store::events::{Entry, EntryId};
use std::sync::LazyLock;

/// The time after which a pending entry is claimed by another consumer, in milliseconds.
pub(crate) const STALE_MS: u64 = 15_000;

static CREATE_GROUP: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/create_group.lua")));

/// Reads the next entries of a shard for a consumer, and creates the group if it is missing. Returns
/// `None` if the stream is missing.
pub(crate) async fn read(
    connection: &mut Connection,
    shard: Shard<'_>,
    consumer: &str,
    limit: u32,
) -> Result<Option<Vec<Entry>>, RedisError> {
    match read_entries(connection, shard, consumer, limit).await {
        Err(error) if error.code() == Some("NOGROUP") => {}
        read => return read.map(Some),
    }
    let created: String = CREATE_GROUP
        .key(shard.stream())
        .arg(CONSUMER_GROUP)
        .invoke_async(connection)
        .await?;
    if created == "missing" {
        return Ok(None);
    }
    match read_entries(connection, shard, consumer, limit).await {
        // The stream was renamed in between.
        Err(error) if error.code() == Some("NOGROUP") => Ok(None),
        read => read.map(Some),
    }
}

/// Reads the pending entries of dead consumers. If there are none, reads new entries.
async fn read_entries(
    connection: &mut Connection,
    shard: Shard<'_>,
    consumer: &str,
    limit: u32,
) -> Result<Vec<Entry>, RedisError> {
    let stale: StreamAutoClaimReply = ::redis::cmd("XAUTOCLAIM")
        .arg(shard.stream())
        .arg(CONSUMER_GROUP)
        .arg(consumer)
        .arg(STALE_MS)
        .arg("0-0")
        .arg("COUNT")
        .arg(limit)
        .query_async(connection)
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
        .query_async(connection)
        .await?;
    let streams = new.map_or_else(Vec::new, |reply| reply.keys);
    Ok(streams
        .iter()
        .flat_map(|stream| entry::decode(shard.number, &stream.ids))
        .collect())
}

/// Acknowledges the entries of a shard among `ids`.
pub(crate) async fn acknowledge(
    connection: &mut Connection,
    shard: Shard<'_>,
    ids: &[EntryId],
) -> Result<(), RedisError> {
    let of_shard: Vec<String> = ids
        .iter()
        .filter(|id| id.shard == shard.number)
        .copied()
        .map(stream_id)
        .collect();
    if of_shard.is_empty() {
        return Ok(());
    }
    ::redis::cmd("XACK")
        .arg(shard.stream())
        .arg(CONSUMER_GROUP)
        .arg(of_shard)
        .query_async(connection)
        .await
}
