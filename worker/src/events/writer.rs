//! The event writer: persists the stream's events in groups and acknowledges them after the commit.
//! Entries that a crash left unacknowledged are persisted again, which changes nothing.

use crate::{backoff::backoff, context::WorkerContext, settings::EventStreamSettings};
use balance_domain::units::{MICROS_PER_MS, MS_PER_HOUR};
use balance_service::events::{
    identity::require_stream,
    replay::{self, GROUP},
};
use balance_store::events::{Entry, EntryId};
use std::time::Duration;
use tokio::time::Instant;

/// The wait before an empty stream is read again.
const POLL: Duration = Duration::from_millis(50);
/// The period in which old entries are removed.
const TRIM: Duration = Duration::from_secs(60);
/// The shortest and the longest wait after a failure.
pub(super) const MIN_BACKOFF: Duration = Duration::from_millis(100);
pub(super) const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// Persists events until the worker is asked to stop. A group that has been read is completed
/// first.
pub(crate) async fn run(context: &WorkerContext, events: &EventStreamSettings) {
    let mut waits = backoff(MIN_BACKOFF, MAX_BACKOFF);
    let mut trimmed: Option<Instant> = None;
    while !context.stopping.is_cancelled() {
        let wait = match persist_group(context, events).await {
            Ok(0) => POLL,
            Ok(_) => {
                waits = backoff(MIN_BACKOFF, MAX_BACKOFF);
                Duration::ZERO
            }
            Err(reason) => {
                context.metrics.event_writer.failures.add(1);
                tracing::warn!(reason, "failed to persist events; retrying");
                waits.next().unwrap_or(MAX_BACKOFF)
            }
        };
        if trimmed.is_none_or(|at| at.elapsed() >= TRIM) {
            trim(context, events).await;
            trimmed = Some(Instant::now());
        }
        if !wait.is_zero() {
            tokio::select! {
                () = context.stopping.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// Reads a group, persists it and acknowledges it. Returns the number of its entries. After a
/// failure the entries stay pending in the stream, which delivers them again later.
async fn persist_group(
    context: &WorkerContext,
    events: &EventStreamSettings,
) -> Result<usize, String> {
    let entries = match events.stream.read(context.name(), GROUP).await {
        Ok(entries) => entries,
        Err(error) => {
            // Creates the stream of a new database, and names the reason if it is missing.
            let store = context.launcher.store.as_ref();
            let required = require_stream(store, events.stream.as_ref()).await;
            return Err(required.map_or_else(|error| error.to_string(), |_| error.to_string()));
        }
    };
    if entries.is_empty() {
        return Ok(0);
    }
    persist_with_retries(context, &entries).await?;
    let ids: Vec<EntryId> = entries.iter().map(|entry| entry.id).collect();
    events
        .stream
        .acknowledge(&ids)
        .await
        .map_err(|error| error.to_string())?;
    Ok(entries.len())
}

/// Persists a group. Retries after a transient error until the worker is asked to stop.
pub(super) async fn persist_with_retries(
    context: &WorkerContext,
    entries: &[Entry],
) -> Result<(), String> {
    let launcher = &context.launcher;
    let mut waits = backoff(MIN_BACKOFF, MAX_BACKOFF);
    loop {
        match replay::persist(launcher.store.as_ref(), entries, launcher.timezone).await {
            Ok(drained) => {
                let counters = &context.metrics.event_writer;
                counters.new.add(drained.new);
                counters.known.add(drained.known);
                counters.late.add(drained.late);
                counters.rejected.add(drained.rejected);
                if drained.late > 0 || drained.rejected > 0 {
                    tracing::warn!(
                        late = drained.late,
                        rejected = drained.rejected,
                        "late or rejected events recorded as dead letters"
                    );
                }
                return Ok(());
            }
            Err(error) if error.is_transient() && !context.stopping.is_cancelled() => {
                context.metrics.event_writer.failures.add(1);
                tracing::warn!(
                    first = ?entries.first().map(|entry| entry.id),
                    entries = entries.len(),
                    %error,
                    "failed to persist events; retrying"
                );
                tokio::time::sleep(waits.next().unwrap_or(MAX_BACKOFF)).await;
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

async fn trim(context: &WorkerContext, events: &EventStreamSettings) {
    let now_ms = context.launcher.clock.now_micros() / MICROS_PER_MS;
    let before_ms = now_ms - i64::from(events.retention_h) * MS_PER_HOUR;
    if let Err(error) = events.stream.trim(before_ms.max(0)).await {
        tracing::warn!(%error, "failed to trim the event stream");
    }
}
