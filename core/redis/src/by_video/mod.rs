//! The streams of the layout by video, of version 0.1, and the upgrade to the layout by viewer.

mod stream;

use crate::{
    connection::Connection,
    entry::entry_id,
    keys::{CONSUMER_GROUP, Shard, by_video_pattern, by_viewer},
};
use ::redis::{
    RedisError, Script,
    streams::{StreamInfoStreamReply, StreamRangeReply},
};
use balance_store::events::{StreamIdentity, StreamLayout};
use std::sync::LazyLock;

/// Keys that one SCAN reads, and one call moves. Measured: 1,000 take 10 ms, and Redis serves no other
/// client meanwhile.
const BATCH: usize = 1_000;

static RETIRE_STREAM: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../../lua/retire_stream.lua")));
static MOVE_KEYS: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../../lua/move_keys.lua")));

/// Retires the stream of a shard if its entries are persisted. Returns the reply of the script.
pub(crate) async fn retire(
    connection: &mut Connection,
    shard: Shard<'_>,
) -> Result<String, RedisError> {
    RETIRE_STREAM
        .key(shard.stream())
        .key(shard.retired())
        .arg(CONSUMER_GROUP)
        .invoke_async(connection)
        .await
}

/// Deletes the entries of a retired stream that are older than an instant, in milliseconds since 1970,
/// and the stream with its last entry. No entry is added to it.
pub(crate) async fn trim_retired(
    connection: &mut Connection,
    shard: Shard<'_>,
    before_ms: i64,
) -> Result<(), RedisError> {
    let retired = shard.retired();
    let newest: StreamRangeReply = ::redis::cmd("XREVRANGE")
        .arg(&retired)
        .arg("+")
        .arg("-")
        .arg("COUNT")
        .arg(1)
        .query_async(connection)
        .await?;
    let newest = newest.ids.first();
    let newest = newest.and_then(|newest| entry_id(shard.number, &newest.id));
    if newest.is_none_or(|newest| newest.ms < before_ms) {
        return ::redis::cmd("UNLINK")
            .arg(&retired)
            .query_async(connection)
            .await;
    }
    ::redis::cmd("XTRIM")
        .arg(&retired)
        .arg("MINID")
        .arg(before_ms)
        .query_async(connection)
        .await
}

/// Deletes the entries of a retired stream that are later than an instant, in milliseconds since 1970. All
/// of them are persisted. Returns their number.
pub(crate) async fn delete_later(
    connection: &mut Connection,
    shard: Shard<'_>,
    after_ms: i64,
) -> Result<u64, RedisError> {
    let retired = shard.retired();
    let mut deleted = 0;
    loop {
        let found: StreamRangeReply = ::redis::cmd("XRANGE")
            .arg(&retired)
            .arg(after_ms + 1)
            .arg("+")
            .arg("COUNT")
            .arg(BATCH)
            .query_async(connection)
            .await?;
        if found.ids.is_empty() {
            return Ok(deleted);
        }
        let ids: Vec<&str> = found.ids.iter().map(|entry| entry.id.as_str()).collect();
        deleted += ::redis::cmd("XDEL")
            .arg(&retired)
            .arg(ids)
            .query_async::<u64>(connection)
            .await?;
    }
}

/// Creates the stream of a shard that has neither one nor a retired one, without entries, and its consumer
/// group.
pub(crate) async fn create(
    connection: &mut Connection,
    shard: Shard<'_>,
) -> Result<(), RedisError> {
    let is_retired: bool = ::redis::cmd("EXISTS")
        .arg(shard.retired())
        .query_async(connection)
        .await?;
    if is_retired {
        return Ok(());
    }
    let created: Result<(), RedisError> = ::redis::cmd("XGROUP")
        .arg("CREATE")
        .arg(shard.stream())
        .arg(CONSUMER_GROUP)
        .arg("0")
        .arg("MKSTREAM")
        .query_async(connection)
        .await;
    match created {
        Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
        created => created,
    }
}

/// Moves the keys of the viewers to their shards. Returns the number of dropped replies.
pub(crate) async fn move_keys(
    connection: &mut Connection,
    identity: &StreamIdentity,
    shards: u16,
) -> Result<u64, RedisError> {
    let pattern = by_video_pattern(identity);
    let (mut cursor, mut dropped) = (0_u64, 0);
    loop {
        let keys: Vec<Vec<u8>>;
        (cursor, keys) = ::redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(&pattern)
            .arg("COUNT")
            .arg(BATCH)
            .query_async(connection)
            .await?;
        let keys = keys.iter().filter_map(|key| std::str::from_utf8(key).ok());
        let pairs = keys.filter_map(|key| Some((key, by_viewer(identity, key, shards)?)));
        let pairs: Vec<(&str, String)> = pairs.collect();
        if !pairs.is_empty() {
            let mut call = MOVE_KEYS.prepare_invoke();
            for (from, to) in &pairs {
                call.key(from).key(to);
            }
            dropped += call.invoke_async::<u64>(connection).await?;
        }
        if cursor == 0 {
            return Ok(dropped);
        }
    }
}

/// Returns the highest ID of the retired streams; `0-0` if there are none.
pub(crate) async fn last_id(
    connection: &mut Connection,
    identity: &StreamIdentity,
    shards: u16,
) -> Result<String, RedisError> {
    let mut last = (0_u64, 0_u64);
    for shard in Shard::all(identity, StreamLayout::ByVideo, shards) {
        let info: Result<StreamInfoStreamReply, RedisError> = ::redis::cmd("XINFO")
            .arg("STREAM")
            .arg(shard.retired())
            .query_async(connection)
            .await;
        let info = match info {
            Err(error) if error.to_string().contains("no such key") => continue,
            info => info?,
        };
        let (ms, sequence) = info.last_generated_id.split_once('-').unwrap_or_default();
        let id = (ms.parse().unwrap_or(0), sequence.parse().unwrap_or(0));
        last = last.max(id);
    }
    Ok(format!("{}-{}", last.0, last.1))
}
