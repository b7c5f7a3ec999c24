//! Persisting events of the stream: as they arrive, and again from the entries that the stream
//! retains.

use crate::events::stream::{EventStream, Retained, StreamError};
use balance_domain::{
    calendar::BusinessTimezone,
    videos::{AdId, AdInterval},
};
use balance_store::{
    Store, StoreError, StoreResult,
    events::{Content, Entry, EventKind, WrittenEntries},
};
use std::collections::HashSet;

/// Entries of a group. Hundreds of rows in a statement matter more for speed than the indexes.
pub const GROUP: u32 = 500;

/// Persists a group. If the database rejects its data, persists each entry by itself, so that only
/// the invalid entry is rejected. Idempotent.
///
/// # Errors
/// If the store fails. Entries that were persisted before the failure stay.
pub async fn persist(
    store: &Store,
    entries: &[Entry],
    timezone: BusinessTimezone,
) -> StoreResult<WrittenEntries> {
    let write = |entries| store.write_entries(entries, timezone);
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
    /// An event of a version that did not decide about ads has ad views, but no ad is registered. The
    /// ad views would be lost.
    #[error("the events have ad views, but no ad is registered")]
    NoAds,
    /// Events show ads that are not registered.
    #[error("the events show ads that are not registered: {}", ids(.0))]
    UnknownAds(Vec<AdId>),
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
/// The replay fails if an event shows an ad that is not registered. It also fails if no ad is registered,
/// and an event of a version that did not decide about ads crosses a slot, unless `is_without_ads` is
/// set. `progress` receives the number of completed entries and the total.
///
/// # Errors
/// If a shard is not configured, an ad is missing, the stream is unavailable, or the store fails.
pub async fn replay(
    store: &Store,
    stream: &dyn EventStream,
    retained: &[Retained],
    timezone: BusinessTimezone,
    is_without_ads: bool,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Replayed, ReplayError> {
    check_shards(stream, retained)?;
    let total = retained.iter().map(|one| one.entries).sum();
    let mut ads = AdCheck {
        needs_ads: !is_without_ads,
        ..AdCheck::default()
    };
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
            ads.check(store, &entries).await?;
            all.drained.add(persist(store, &entries, timezone).await?);
            all.entries += u64::try_from(entries.len()).unwrap_or(u64::MAX);
            progress(all.entries, total);
        }
    }
    Ok(all)
}

/// The check of the ads of replayed events.
#[derive(Default)]
struct AdCheck {
    /// Whether undecided ads require a registered ad.
    needs_ads: bool,
    /// The ads of earlier entries, which are registered.
    known: HashSet<AdId>,
}

impl AdCheck {
    async fn check(&mut self, store: &Store, entries: &[Entry]) -> Result<(), ReplayError> {
        let events = entries.iter().filter_map(|entry| match &entry.content {
            Content::Event(event) => Some(&event.kind),
            Content::Seal | Content::Invalid { .. } => None,
        });
        let shown: HashSet<AdId> = events
            .clone()
            .flat_map(EventKind::decided_ads)
            .map(|slot| slot.ad_id)
            .filter(|ad| !self.known.contains(ad))
            .collect();
        let unknown = store.unknown_ads(&shown).await?;
        if !unknown.is_empty() {
            return Err(ReplayError::UnknownAds(unknown));
        }
        self.known.extend(shown);
        if self.needs_ads
            && events.clone().any(|kind| kind.undecided_s().is_some())
            && let Some(rules) = store.play_rules().await?
        {
            let interval = AdInterval::from_seconds(rules.rules.ad_interval_s);
            if events.clone().any(|kind| kind.has_undecided_ads(interval)) {
                if store.ads(None, 1).await?.is_empty() {
                    return Err(ReplayError::NoAds);
                }
                self.needs_ads = false;
            }
        }
        Ok(())
    }
}

/// Lists ids, the first ones only.
#[must_use]
pub fn ids(ads: &[AdId]) -> String {
    const SHOWN: usize = 20;
    let mut shown: Vec<String> = ads.iter().take(SHOWN).map(ToString::to_string).collect();
    if ads.len() > SHOWN {
        shown.push(format!("and {} others", ads.len() - SHOWN));
    }
    shown.join(", ")
}
