//! Persisting events of the stream: as they arrive, and again from the entries that the stream
//! retains.

use crate::events::stream::{EventStream, Retained, StreamError};
use balance_domain::{calendar::BusinessTimezone, videos::AdInterval};
use balance_store::{
    Store, StoreError, StoreResult,
    events::{Content, Entry, WrittenEntries},
};

/// Entries of a group. Hundreds of rows in a statement matter more for speed than the indexes.
pub const GROUP: u32 = 500;

/// The rules by which events are persisted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRules {
    /// The time zone of the business days.
    pub timezone: BusinessTimezone,
    /// Seconds between two ad slots (`AD_INTERVAL_S`).
    pub ad_interval_s: u32,
}

/// Persists a group. If the database rejects its data, persists each entry by itself, so that only
/// the invalid entry is rejected. Idempotent.
///
/// # Errors
/// If the store fails. Entries that were persisted before the failure stay.
pub async fn persist(
    store: &Store,
    entries: &[Entry],
    rules: EventRules,
) -> StoreResult<WrittenEntries> {
    let write = |entries| store.write_entries(entries, rules.timezone, rules.ad_interval_s);
    match write(entries).await {
        Err(StoreError::Data(_)) if entries.len() > 1 => {}
        written => return written,
    }
    let mut all = WrittenEntries::default();
    for entry in entries {
        all.add(write(std::slice::from_ref(entry)).await?);
    }
    Ok(all)
}

/// The result of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// The number of entries read, including the seals of days.
    pub entries: u64,
    /// The number of entries by outcome.
    pub drained: WrittenEntries,
}

/// The reason why a replay stopped early. A second replay completes the rest.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The stream has entries in more shards than are configured.
    #[error("the number of shards is {shards}, but shard {found} (counted from 0) has events")]
    MoreShards {
        /// The number of configured shards, which are numbered from 0.
        shards: u16,
        /// The number of a shard beyond the configured ones.
        found: u16,
    },
    /// An event has ad views, but no ad is registered. The ad views would be lost.
    #[error("the events have ad views, but no ad is registered")]
    NoAds,
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks that the stream has no entries beyond the configured shards.
///
/// # Errors
/// [`ReplayError::MoreShards`].
pub fn check_shards(stream: &dyn EventStream, retained: &[Retained]) -> Result<(), ReplayError> {
    let shards = stream.shards();
    match retained.iter().find(|one| one.shard >= shards) {
        Some(beyond) => Err(ReplayError::MoreShards {
            shards,
            found: beyond.shard,
        }),
        None => Ok(()),
    }
}

/// Persists all retained entries again, stream by stream, from the oldest entry to the newest of
/// `retained`. Does not change existing rows and does not disturb running event writers.
///
/// If an event has ad views and no ad is registered, the replay fails, unless `is_without_ads` is
/// set. `progress` receives the number of completed entries and the total.
///
/// # Errors
/// If a shard is not configured, an ad is missing, the stream is unavailable, or the store fails.
pub async fn replay(
    store: &Store,
    stream: &dyn EventStream,
    retained: &[Retained],
    rules: EventRules,
    is_without_ads: bool,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Replayed, ReplayError> {
    check_shards(stream, retained)?;
    let total = retained.iter().map(|one| one.entries).sum();
    let mut needs_ads = !is_without_ads;
    let mut all = Replayed::default();
    progress(0, total);
    for shard in retained {
        let mut after = None;
        loop {
            let entries = stream.reread(*shard, after, GROUP).await?;
            let Some(last) = entries.last() else {
                break;
            };
            after = Some(last.id);
            if needs_ads && entries.iter().any(|entry| shows_ads(entry, rules)) {
                if store.ads(None, 1).await?.is_empty() {
                    return Err(ReplayError::NoAds);
                }
                needs_ads = false;
            }
            all.drained.add(persist(store, &entries, rules).await?);
            all.entries += u64::try_from(entries.len()).unwrap_or(u64::MAX);
            progress(all.entries, total);
        }
    }
    Ok(all)
}

fn shows_ads(entry: &Entry, rules: EventRules) -> bool {
    match &entry.content {
        Content::Event(event) => event
            .kind
            .crosses_ad_slot(AdInterval::from_seconds(rules.ad_interval_s)),
        Content::Seal | Content::Invalid { .. } => false,
    }
}
