//! The upgrade of an event stream from the layout by video: persists what is left in its streams, retires
//! them, moves the keys of the viewers, and records the layout by viewer.
//!
//! Every step may be repeated after a crash and run by several workers at once. Until the streams by
//! viewer exist, API processes accept no plays; once a stream is retired, older processes do not either.

use crate::{
    backoff::backoff,
    context::WorkerContext,
    events::writer::{MAX_BACKOFF, MIN_BACKOFF, persist_with_retries},
    settings::EventStreamSettings,
};
use balance_service::events::{
    identity::{IdentityError, require_stream},
    replay::GROUP,
    stream::Retired,
};
use balance_store::events::{EntryId, StreamLayout};
use std::time::Duration;

/// The wait for other workers.
const WAIT: Duration = Duration::from_millis(200);

/// Upgrades the stream until it has the layout by viewer, or the worker is asked to stop.
pub(crate) async fn run(context: &WorkerContext, events: &EventStreamSettings) {
    let mut waits = backoff(MIN_BACKOFF, MAX_BACKOFF);
    while !context.stopping.is_cancelled() {
        let wait = match advance(context, events).await {
            Ok(Progress::Done) => return,
            Ok(Progress::Waiting) => WAIT,
            Ok(Progress::Persisted) => {
                waits = backoff(MIN_BACKOFF, MAX_BACKOFF);
                Duration::ZERO
            }
            Err(reason) => {
                context.metrics.event_writer.failures.add(1);
                tracing::warn!(reason, "failed to prepare the event stream; retrying");
                waits.next().unwrap_or(MAX_BACKOFF)
            }
        };
        tokio::select! {
            () = context.stopping.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

enum Progress {
    Done,
    /// Entries were persisted, and there may be more.
    Persisted,
    /// Other workers must acknowledge entries, or stop.
    Waiting,
}

/// Takes one step of the upgrade.
async fn advance(
    context: &WorkerContext,
    events: &EventStreamSettings,
) -> Result<Progress, String> {
    let store = context.launcher.store.as_ref();
    let stream = events.stream.as_ref();
    let layout = require_stream(store, stream).await;
    if layout.map_err(|error| error.to_string())? == StreamLayout::ByViewer {
        return Ok(Progress::Done);
    }
    let text = |error: IdentityError| error.to_string();
    let found = stream.found().await.map_err(|error| text(error.into()))?;
    if !found.by_video.is_empty() {
        let entries = stream.read_by_video(context.name(), GROUP).await;
        let entries = entries.map_err(|error| text(error.into()))?;
        if !entries.is_empty() {
            persist_with_retries(context, &entries).await?;
            let ids: Vec<EntryId> = entries.iter().map(|entry| entry.id).collect();
            let acknowledged = stream.acknowledge_by_video(&ids).await;
            return acknowledged
                .map(|()| Progress::Persisted)
                .map_err(|error| text(error.into()));
        }
        match stream.retire().await.map_err(|error| text(error.into()))? {
            Retired::All => {}
            Retired::Waiting => return Ok(Progress::Waiting),
            Retired::Conflict(streams) => return Err(text(IdentityError::TwoStreams(streams))),
        }
    }
    let dropped = stream.move_keys().await;
    let dropped = dropped.map_err(|error| text(error.into()))?;
    stream.create().await.map_err(|error| text(error.into()))?;
    let recorded = store.record_stream_by_viewer().await;
    recorded.map_err(|error| text(error.into()))?;
    if dropped > 0 {
        tracing::warn!(
            dropped,
            "dropped stored replies: a user had two for one idempotency key, and the older one stays"
        );
    }
    tracing::info!("the event stream is sharded by viewer");
    Ok(Progress::Done)
}
