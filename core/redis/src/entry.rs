//! Conversion between entries of a Redis stream and [`Entry`].

use crate::{connection::Connection, event};
use ::redis::{
    FromRedisValue, RedisError, Value,
    streams::{StreamId, StreamRangeReply},
};
use balance_service::events::stream::SeenIds;
use balance_store::events::{Entry, EntryId};
use std::collections::BTreeMap;

/// Decodes entries. An entry that was trimmed while it was pending has no fields.
pub(crate) fn decode(shard: u16, ids: &[StreamId]) -> Vec<Entry> {
    ids.iter()
        .filter_map(|id| {
            Some(Entry {
                id: entry_id(shard, &id.id)?,
                content: event::decode(&fields(id)),
            })
        })
        .collect()
}

/// Decodes what entries state about users, videos and ads.
pub(crate) fn decode_seen(shard: u16, ids: &[StreamId]) -> Vec<(EntryId, Option<SeenIds>)> {
    ids.iter()
        .filter_map(|id| Some((entry_id(shard, &id.id)?, event::seen(&fields(id)))))
        .collect()
}

/// Reads entries of a stream from the one after `after` to `upto`, at most `limit`.
pub(crate) async fn range(
    connection: &mut Connection,
    stream: &str,
    after: Option<EntryId>,
    upto: EntryId,
    limit: u32,
) -> Result<StreamRangeReply, RedisError> {
    ::redis::cmd("XRANGE")
        .arg(stream)
        .arg(after.map_or_else(|| "-".to_owned(), |id| format!("({}", stream_id(id))))
        .arg(stream_id(upto))
        .arg("COUNT")
        .arg(limit)
        .query_async(connection)
        .await
}

fn fields(id: &StreamId) -> BTreeMap<String, String> {
    id.map
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => String::from_redis_value_ref(other).unwrap_or_default(),
    }
}

/// Formats an entry's id as Redis does.
pub(crate) fn stream_id(id: EntryId) -> String {
    format!("{}-{}", id.ms, id.sequence)
}

/// Parses an entry's id.
pub(crate) fn entry_id(shard: u16, id: &str) -> Option<EntryId> {
    let (ms, sequence) = id.split_once('-')?;
    Some(EntryId {
        shard,
        ms: ms.parse().ok()?,
        sequence: sequence.parse().ok()?,
    })
}
