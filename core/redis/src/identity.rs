//! The streams of an identity on a server: which exist, their creation, and those of a version without
//! identities.

use crate::{
    by_video,
    connection::Connection,
    keys::{CONSUMER_GROUP, IDENTITIES, Shard},
};
use ::redis::{AsyncIter, Cmd, RedisError, Script};
use balance_service::events::stream::{Found, Renamed};
use balance_store::events::{StreamIdentity, StreamLayout};
use std::sync::LazyLock;

/// The keys of a version without identities: `{s0}:events`, `{s0}:session:7:9`.
const UNNAMED: &str = "{s[0-9]*}:*";
/// The keys of its notifications.
const UNNAMED_QUEUE: &str = "{balance}:steps*";
/// Keys that one SCAN reads.
const SCAN_BATCH: usize = 1_000;

static CREATE_STREAM: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/create_stream.lua")));

/// Returns the reason for a stream that is missing on the server.
pub(crate) fn missing_reason(identity: &StreamIdentity) -> String {
    format!(
        "the event stream {identity} is missing on this server; during an upgrade a worker creates it; \
         if its events are lost for good, `balance events adopt` creates it"
    )
}

pub(crate) async fn found(
    connection: &mut Connection,
    identity: &StreamIdentity,
    shards: u16,
) -> Result<Found, RedisError> {
    let all = |layout| Shard::all(identity, layout, shards);
    let mut pipe = ::redis::pipe();
    pipe.smembers(IDENTITIES);
    // An upgrade retires all streams before it creates the first one. In this order it is never seen
    // as a mixture of both layouts. A transaction would be rejected by a server without memory.
    for shard in all(StreamLayout::ByViewer) {
        pipe.exists(shard.stream());
    }
    for shard in all(StreamLayout::ByVideo) {
        pipe.exists(shard.stream());
    }
    for shard in all(StreamLayout::ByVideo) {
        pipe.exists(shard.retired());
    }
    let mut replies: Vec<::redis::Value> = pipe.query_async(connection).await?;
    let identities: Vec<String> = ::redis::from_redis_value(replies.remove(0))?;
    let exist = replies.into_iter().map(::redis::from_redis_value);
    let exist: Vec<bool> = exist.collect::<Result<_, _>>()?;
    let numbers = |kind: usize, is_wanted: bool| {
        let of_kind = exist.iter().skip(kind * usize::from(shards));
        let of_kind = (0..shards).zip(of_kind);
        let wanted = of_kind.filter(move |(_, exists)| **exists == is_wanted);
        wanted.map(|(number, _)| number).collect()
    };
    let others = identities.iter().filter_map(|text| text.parse().ok());
    let missing: Vec<u16> = numbers(0, false);
    // The address may lead to the server of the stream again.
    if !missing.is_empty() {
        connection.leave();
    }
    Ok(Found {
        missing,
        by_video: numbers(1, true),
        retired: numbers(2, true),
        others: others.filter(|other| other != identity).collect(),
    })
}

/// Returns the name of the server for an identity. The first call stores `candidate`.
pub(crate) async fn origin(
    connection: &mut Connection,
    identity: &StreamIdentity,
    candidate: &str,
) -> Result<String, RedisError> {
    let key = Shard {
        identity,
        layout: StreamLayout::ByViewer,
        number: 0,
    }
    .key("origin");
    let stored: (Option<String>, String) = ::redis::pipe()
        .atomic()
        .cmd("SET")
        .arg(&key)
        .arg(candidate)
        .arg("NX")
        .get(&key)
        .query_async(connection)
        .await?;
    Ok(stored.1)
}

/// Creates the streams that are missing, and their consumer groups. Their entries follow those of
/// retired streams, also if the clock of the server steps back: their days can be closed.
pub(crate) async fn create(
    connection: &mut Connection,
    identity: &StreamIdentity,
    shards: u16,
) -> Result<(), RedisError> {
    let last = by_video::last_id(connection, identity, shards).await?;
    for shard in Shard::all(identity, StreamLayout::ByViewer, shards) {
        CREATE_STREAM
            .key(shard.stream())
            .arg(CONSUMER_GROUP)
            .arg(&last)
            .invoke_async::<()>(connection)
            .await?;
    }
    register(connection, identity).await
}

/// Adds the identity to those whose streams were created on the server.
pub(crate) async fn register(
    connection: &mut Connection,
    identity: &StreamIdentity,
) -> Result<(), RedisError> {
    ::redis::cmd("SADD")
        .arg(IDENTITIES)
        .arg(identity.as_str())
        .query_async(connection)
        .await
}

/// Renames the keys of a version without identities, which have the layout by video. The streams are the
/// last: until then a crash leaves the rest to the next call.
pub(crate) async fn rename_unnamed(
    connection: &mut Connection,
    identity: &StreamIdentity,
) -> Result<Renamed, RedisError> {
    let mut reader = connection.clone();
    let mut keys: AsyncIter<'_, String> = scan(UNNAMED).iter_async(&mut reader).await?;
    let mut streams = Vec::new();
    while let Some(key) = keys.next_item().await {
        let key = key?;
        let Some((number, name)) = unnamed(&key) else {
            continue;
        };
        let shard = Shard {
            identity,
            layout: StreamLayout::ByVideo,
            number,
        };
        let renamed = shard.key(name);
        if name == "events" {
            streams.push((key, renamed));
        } else {
            rename(connection, &key, &renamed).await?;
        }
    }
    for (key, renamed) in &streams {
        if !rename(connection, key, renamed).await? {
            return Ok(Renamed::Conflict(format!("{key} and {renamed}")));
        }
    }
    unlink_queue(connection).await?;
    Ok(if streams.is_empty() {
        Renamed::None
    } else {
        Renamed::All
    })
}

/// Returns the command that lists the keys of a pattern.
fn scan(pattern: &str) -> Cmd {
    let mut scan = ::redis::cmd("SCAN");
    scan.cursor_arg(0).arg("MATCH").arg(pattern);
    scan.arg("COUNT").arg(SCAN_BATCH);
    scan
}

/// Returns the shard and the name of a key of a version without identities.
fn unnamed(key: &str) -> Option<(u16, &str)> {
    let (shard, name) = key.strip_prefix("{s")?.split_once("}:")?;
    Some((shard.parse().ok()?, name))
}

/// Removes the notifications of a version without identities.
async fn unlink_queue(connection: &mut Connection) -> Result<(), RedisError> {
    let mut reader = connection.clone();
    let mut keys: AsyncIter<'_, String> = scan(UNNAMED_QUEUE).iter_async(&mut reader).await?;
    while let Some(key) = keys.next_item().await {
        ::redis::cmd("UNLINK")
            .arg(key?)
            .query_async::<()>(connection)
            .await?;
    }
    Ok(())
}

/// Renames a key. Another process may have renamed it, or its lifetime may have ended. Returns whether
/// the new key was free.
async fn rename(connection: &mut Connection, from: &str, to: &str) -> Result<bool, RedisError> {
    let renamed: Result<bool, RedisError> = ::redis::cmd("RENAMENX")
        .arg(from)
        .arg(to)
        .query_async(connection)
        .await;
    match renamed {
        Err(error) if error.to_string().contains("no such key") => Ok(true),
        renamed => renamed,
    }
}

#[cfg(test)]
mod tests {
    use super::unnamed;

    #[test]
    fn keys_without_an_identity_are_recognized() {
        assert_eq!(unnamed("{s12}:session:7:9"), Some((12, "session:7:9")));
        assert_eq!(unnamed("{s0}:events"), Some((0, "events")));
        for other in [
            "{balance}:steps",
            "{0123456789abcdef:s0}:events",
            "{sx}:events",
            "s0:events",
        ] {
            assert_eq!(unnamed(other), None, "{other}");
        }
    }
}
