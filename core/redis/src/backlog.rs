//! The entries of a stream that wait to be persisted.

use crate::{
    connection::Connection,
    keys::{CONSUMER_GROUP, Shard},
};
use ::redis::{RedisError, Script, streams::StreamInfoGroupsReply};
use std::sync::LazyLock;

/// The most unread entries that one call counts. Measured: 10,000 take 80 ms.
const MAX_COUNTED: u32 = 10_000;

static RESTORE_LAG: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/restore_lag.lua")));

/// Counts the waiting entries of a shard, as `lua/view_increment.lua` does.
pub(crate) async fn waiting(
    connection: &mut Connection,
    shard: Shard<'_>,
) -> Result<u64, RedisError> {
    let length: u64 = ::redis::cmd("XLEN")
        .arg(shard.stream())
        .query_async(connection)
        .await?;
    if length == 0 {
        return Ok(0);
    }
    let groups: StreamInfoGroupsReply = ::redis::cmd("XINFO")
        .arg("GROUPS")
        .arg(shard.stream())
        .query_async(connection)
        .await?;
    let mut groups = groups.groups.into_iter();
    let Some(group) = groups.find(|group| group.name == CONSUMER_GROUP) else {
        return Ok(length);
    };
    let lag = match group.lag {
        Some(lag) => u64::try_from(lag).ok(),
        None => restore_lag(connection, shard).await?,
    };
    let pending = u64::try_from(group.pending).unwrap_or(u64::MAX);
    // If the lag is unknown, every entry counts as waiting.
    Ok(lag.map_or(length, |lag| lag.saturating_add(pending)))
}

/// Counts the unread entries of a shard whose lag Redis does not know, and restores the lag. Returns
/// `None` if there are many, or if another caller has just counted them.
pub(crate) async fn restore_lag(
    connection: &mut Connection,
    shard: Shard<'_>,
) -> Result<Option<u64>, RedisError> {
    RESTORE_LAG
        .key(shard.stream())
        .key(shard.lag_check())
        .arg(CONSUMER_GROUP)
        .arg(MAX_COUNTED)
        .invoke_async(connection)
        .await
}
