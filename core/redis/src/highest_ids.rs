//! The highest assigned ids that the event stream has seen, in each shard. A database whose sequences are
//! not above them is older than the stream.

use crate::{connection::Connection, entry, keys::Shard};
use ::redis::{RedisError, Script, streams::StreamRangeReply};
use balance_store::{
    events::{StreamIdentity, StreamLayout},
    operations::HighestIds,
};
use std::sync::LazyLock;

/// The newest entries that are read of a shard without highest ids: a version that did not record them
/// wrote its entries.
const NEWEST: u32 = 1_000;

static RAISE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/raise_ids.lua")));

/// The recorded ids of a user and of a video.
type Recorded = (Option<i64>, Option<i64>);

/// Returns the highest ids over all shards.
pub(crate) async fn highest(
    connection: &mut Connection,
    identity: &StreamIdentity,
    shards: u16,
) -> Result<HighestIds, RedisError> {
    let mut pipe = ::redis::pipe();
    for shard in Shard::all(identity, StreamLayout::ByViewer, shards) {
        pipe.cmd("HMGET").arg(shard.highest_ids());
        pipe.arg("user").arg("video");
        pipe.exists(shard.stream());
    }
    let replies: Vec<(Recorded, bool)> = pipe.query_async(connection).await?;
    if replies.iter().any(|(_, has_stream)| !has_stream) {
        connection.leave();
    }
    let recorded = replies.into_iter().map(|(recorded, _)| recorded);
    let mut all = HighestIds::default();
    for (shard, ids) in Shard::all(identity, StreamLayout::ByViewer, shards).zip(recorded) {
        all = all.max(match ids {
            (Some(user), Some(video)) => HighestIds { user, video },
            (user, video) => {
                let found = HighestIds {
                    user: user.unwrap_or_default(),
                    video: video.unwrap_or_default(),
                };
                let found = found.max(newest(connection, shard).await?);
                raise(connection, shard, found).await?;
                found
            }
        });
    }
    Ok(all)
}

/// Raises the highest ids of a shard.
pub(crate) async fn raise(
    connection: &mut Connection,
    shard: Shard<'_>,
    HighestIds { user, video }: HighestIds,
) -> Result<(), RedisError> {
    let mut call = RAISE.key(shard.highest_ids());
    call.arg(user).arg(video).invoke_async(connection).await
}

/// Returns the highest ids of the newest entries of a shard: of its stream by viewer, and of the one by
/// video before and after its upgrade.
async fn newest(connection: &mut Connection, shard: Shard<'_>) -> Result<HighestIds, RedisError> {
    let by_video = Shard {
        layout: StreamLayout::ByVideo,
        ..shard
    };
    let mut highest = HighestIds::default();
    for stream in [shard.stream(), by_video.stream(), by_video.retired()] {
        let found: StreamRangeReply = ::redis::cmd("XREVRANGE")
            .arg(stream)
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(NEWEST)
            .query_async(connection)
            .await?;
        for (_, seen) in entry::decode_seen(shard.number, &found.ids) {
            if let Some(seen) = seen {
                seen.raise(&mut highest);
            }
        }
    }
    Ok(highest)
}
