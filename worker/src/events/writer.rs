//! The drain: writes the intake's events into the history, in groups, and acknowledges them after
//! the commit. Whatever dies in between is written again, which changes nothing.

use crate::claims::pool::ClaimPool;
use backon::{BackoffBuilder, ExponentialBuilder};
use balance_service::events::{
    replay::{self, EventRules, GROUP},
    stream::EventStream,
};
use balance_store::events::{Entry, EntryId};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How often an empty stream is looked at.
const POLL: Duration = Duration::from_millis(50);
/// How often old entries are dropped.
const TRIM: Duration = Duration::from_secs(60);
/// The first and the longest wait after a failure.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

const MICROS_PER_MS: i64 = 1_000;
const MS_PER_HOUR: i64 = 3_600_000;

/// The intake's events, for a worker of a fleet.
#[derive(Clone)]
pub struct Events {
    /// Where they come from.
    pub stream: Arc<dyn EventStream>,
    /// Seconds between two ad slots (`AD_INTERVAL_S`).
    pub ad_interval_s: u32,
    /// Hours that written entries are kept for a replay (`STREAM_RETENTION_H`).
    pub retention_h: u32,
    /// How long `closeDayStep` waits for the stream, in seconds (`CLOSE_TIMEOUT_S`).
    pub close_timeout_s: u32,
}

/// Drains until the worker is asked to end. A group at hand is written to its end.
pub(crate) async fn run(pool: Arc<ClaimPool>, events: Events) {
    let mut backoff = new_backoff();
    let mut trimmed: Option<Instant> = None;
    while !pool.ending.is_cancelled() {
        let wait = match turn(&pool, &events).await {
            Ok(0) => POLL,
            Ok(_) => {
                backoff = new_backoff();
                Duration::ZERO
            }
            Err(reason) => {
                pool.counters.event_writer.failures.add(1);
                tracing::warn!(reason, "not drained; tried again");
                backoff.next().unwrap_or(LONGEST_BACKOFF)
            }
        };
        if trimmed.is_none_or(|at| at.elapsed() >= TRIM) {
            trim(&pool, &events).await;
            trimmed = Some(Instant::now());
        }
        if !wait.is_zero() {
            tokio::select! {
                () = pool.ending.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

fn new_backoff() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_BACKOFF)
        .with_max_delay(LONGEST_BACKOFF)
        .with_jitter()
        .without_max_times()
        .build()
}

/// Reads a group, writes it, acknowledges it; answers how many entries it held. What fails stays
/// on the list of the stream, and comes again when it has been there for a while.
async fn turn(pool: &ClaimPool, events: &Events) -> Result<usize, String> {
    let consumer = &pool.settings.identity.name;
    let entries = events
        .stream
        .read(consumer, GROUP)
        .await
        .map_err(|error| error.to_string())?;
    if entries.is_empty() {
        return Ok(0);
    }
    write_until_done(pool, events, &entries).await?;
    let ids: Vec<EntryId> = entries.iter().map(|entry| entry.id).collect();
    events
        .stream
        .acknowledge(&ids)
        .await
        .map_err(|error| error.to_string())?;
    Ok(entries.len())
}

/// Writes a group at hand. A database that is away is tried again, as long as the worker may.
async fn write_until_done(
    pool: &ClaimPool,
    events: &Events,
    entries: &[Entry],
) -> Result<(), String> {
    let launcher = &pool.launcher;
    let rules = EventRules {
        timezone: launcher.timezone,
        ad_interval_s: events.ad_interval_s,
    };
    let mut backoff = new_backoff();
    loop {
        match replay::persist(launcher.store.as_ref(), entries, rules).await {
            Ok(drained) => {
                let counters = &pool.counters.event_writer;
                counters.new.add(drained.new);
                counters.known.add(drained.known);
                counters.late.add(drained.late);
                counters.rejected.add(drained.rejected);
                if drained.late > 0 || drained.rejected > 0 {
                    tracing::warn!(
                        late = drained.late,
                        rejected = drained.rejected,
                        "events that the history does not take"
                    );
                }
                return Ok(());
            }
            Err(error) if error.is_transient() && !pool.ending.is_cancelled() => {
                pool.counters.event_writer.failures.add(1);
                tracing::warn!(
                    first = ?entries.first().map(|entry| entry.id),
                    entries = entries.len(),
                    %error,
                    "events are written again"
                );
                tokio::time::sleep(backoff.next().unwrap_or(LONGEST_BACKOFF)).await;
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

async fn trim(pool: &ClaimPool, events: &Events) {
    let now_ms = pool.launcher.clock.now_micros() / MICROS_PER_MS;
    let before_ms = now_ms - i64::from(events.retention_h) * MS_PER_HOUR;
    if let Err(error) = events.stream.trim(before_ms.max(0)).await {
        tracing::warn!(%error, "the stream is not trimmed");
    }
}
