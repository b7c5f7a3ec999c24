//! Conversion between entries of a Redis stream and [`Entry`].

use crate::event;
use ::redis::{FromRedisValue, Value, streams::StreamId};
use balance_store::events::{Entry, EntryId};
use std::collections::BTreeMap;

/// Decodes entries. An entry that was trimmed while it was pending has no fields.
pub(crate) fn decode(shard: u16, ids: &[StreamId]) -> Vec<Entry> {
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
