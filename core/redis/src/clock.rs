//! The clock of the stream: closing a day by it, comparing it with other clocks, and setting a stream
//! back.

use crate::{
    connection::Connection,
    group::STALE_MS,
    keys::{CONSUMER_GROUP, Shard},
    stream_error::{missing, stream_error},
};
use ::redis::{RedisError, Script, streams::StreamInfoStreamReply};
use balance_domain::{
    clock::{CLOCK_TOLERANCE_MICROS, instant_text},
    units::{MICROS_PER_MS, MICROS_PER_S},
};
use balance_service::events::stream::{Closed, StreamClock, StreamError, StreamRepair};
use std::sync::LazyLock;

/// How far clocks may differ, in milliseconds.
pub(crate) const TOLERANCE_MS: i64 = CLOCK_TOLERANCE_MICROS / MICROS_PER_MS;
/// The most entries that one call of the repair deletes.
const MAX_DELETED: u32 = 10_000;

static CLOSE_DAY: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/close_day.lua")));
static REPAIR_CLOCK: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../lua/repair_clock.lua")));

/// Seals a day in every shard.
pub(crate) async fn close(
    connection: &mut Connection,
    shards: impl Iterator<Item = Shard<'_>>,
    day_end_ms: i64,
    now_ms: i64,
) -> Result<Closed, StreamError> {
    let mut closed = Closed::Drained;
    for shard in shards {
        let reply: String = CLOSE_DAY
            .key(shard.stream())
            .arg(CONSUMER_GROUP)
            .arg(day_end_ms)
            .arg(now_ms)
            .arg(TOLERANCE_MS)
            .invoke_async(connection)
            .await
            .map_err(stream_error)?;
        // The loop continues after a shard that is not drained, so that every shard is sealed as
        // early as possible.
        closed = match (reply.as_str(), closed) {
            ("clock", _) => return Ok(Closed::WrongClock),
            ("not over", _) => Closed::NotOver,
            ("waiting", Closed::Drained) => Closed::Waiting,
            ("waiting" | "drained", closed) => closed,
            ("missing", _) => return Err(missing(shard.identity)),
            (other, _) => {
                let reason = format!("unexpected reply of close_day.lua: '{other}'");
                return Err(StreamError(reason));
            }
        };
    }
    Ok(closed)
}

/// Reads the clock of the server and the last entries of the shards. A missing stream has none.
pub(crate) async fn read(
    connection: &mut Connection,
    shards: impl Iterator<Item = Shard<'_>>,
) -> Result<StreamClock, RedisError> {
    let mut last_ms = 0;
    for shard in shards {
        let info: Result<StreamInfoStreamReply, RedisError> = ::redis::cmd("XINFO")
            .arg("STREAM")
            .arg(shard.stream())
            .query_async(connection)
            .await;
        match info {
            Ok(info) => last_ms = last_ms.max(ms_of(&info.last_generated_id)),
            Err(error) if error.to_string().contains("no such key") => {}
            Err(error) => return Err(error),
        }
    }
    let (seconds, micros): (i64, i64) = ::redis::cmd("TIME").query_async(connection).await?;
    Ok(StreamClock {
        now_micros: seconds * MICROS_PER_S + micros,
        last_micros: last_ms.saturating_mul(MICROS_PER_MS),
    })
}

/// Sets every shard whose last entry is of the future back to the time.
pub(crate) async fn repair(
    connection: &mut Connection,
    shards: impl Iterator<Item = Shard<'_>>,
    now_ms: i64,
) -> Result<StreamRepair, StreamError> {
    let (mut repaired, mut waiting) = (None, false);
    for shard in shards {
        loop {
            let (reply, number): (String, u64) = REPAIR_CLOCK
                .key(shard.stream())
                .arg(CONSUMER_GROUP)
                .arg(now_ms)
                .arg(TOLERANCE_MS)
                .arg(MAX_DELETED)
                .arg(STALE_MS)
                .invoke_async(connection)
                .await
                .map_err(stream_error)?;
            match reply.as_str() {
                "right" => {}
                "waiting" => waiting = true,
                "repaired" | "more" => repaired = Some(repaired.unwrap_or(0) + number),
                "clock" => return Ok(StreamRepair::WrongClock(number.cast_signed())),
                "missing" => return Err(missing(shard.identity)),
                other => {
                    let reason = format!("unexpected reply of repair_clock.lua: '{other}'");
                    return Err(StreamError(reason));
                }
            }
            if reply != "more" {
                break;
            }
        }
    }
    Ok(match (waiting, repaired) {
        (true, _) => StreamRepair::Waiting,
        (false, Some(deleted)) => StreamRepair::Repaired(deleted),
        (false, None) => StreamRepair::Right,
    })
}

/// Returns the reason for a server that has another time than this process.
pub(crate) fn differs_reason(server_ms: i64, own_ms: i64) -> String {
    format!(
        "the clock of Redis is at {}, and that of this process at {}; correct the wrong one",
        ms_text(server_ms),
        ms_text(own_ms)
    )
}

/// Returns the reason for a stream that is ahead of its server's clock.
pub(crate) fn ahead_reason(last_ms: i64, server_ms: i64) -> String {
    format!(
        "the last entry of the event stream is of {}, and the clock of Redis is at {}; correct the clock, \
         or run `balance clock repair` if it is right",
        ms_text(last_ms),
        ms_text(server_ms)
    )
}

/// Returns the milliseconds of an entry's id, 0 if it is invalid.
pub(crate) fn ms_of(id: &str) -> i64 {
    let ms = id.split_once('-').map_or(id, |(ms, _)| ms);
    ms.parse().unwrap_or(0)
}

fn ms_text(ms: i64) -> String {
    instant_text(ms.saturating_mul(MICROS_PER_MS))
}
