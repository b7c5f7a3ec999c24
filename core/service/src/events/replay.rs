//! The stream's events on their way into the database: as they come, and once more from what the
//! stream retains.

use crate::events::stream::{EventStream, Retained, StreamError};
use balance_domain::calendar::BusinessTimezone;
use balance_store::{
    Store, StoreError, StoreResult,
    events::{Content, Drained, Entry},
};

/// Entries of a group: hundreds in a statement are worth more than any choice of index.
pub const GROUP: u32 = 500;

/// The rules by which events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRules {
    /// The zone of the business days.
    pub timezone: BusinessTimezone,
    /// Seconds between two ad slots (`AD_INTERVAL_S`).
    pub ad_interval_s: u32,
}

/// Writes a group, or, where the database refuses its data, each entry by itself, so that only
/// the one at fault is rejected.
///
/// # Errors
/// Where the store fails. What was written by then stays; written again it changes nothing.
pub async fn persist(store: &Store, entries: &[Entry], rules: EventRules) -> StoreResult<Drained> {
    let write = |entries| store.write_entries(entries, rules.timezone, rules.ad_interval_s);
    match write(entries).await {
        Err(StoreError::Data(_)) if entries.len() > 1 => {}
        written => return written,
    }
    let mut all = Drained::default();
    for entry in entries {
        all.add(write(std::slice::from_ref(entry)).await?);
    }
    Ok(all)
}

/// What a replay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Entries that were read again, the ends of days among them.
    pub entries: u64,
    /// What became of them.
    pub drained: Drained,
}

/// Why a replay ended before its end. Begun again it does what is left.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The plays were spread over more shards than are known.
    #[error("it is {shards}, and there are plays in the stream of shard {found}, counted from 0")]
    MoreShards {
        /// Shards that are known; they are numbered from 0.
        shards: u16,
        /// A shard beyond them.
        found: u16,
    },
    /// A pause shows ads, and none is registered: its ad views would be lost for good.
    #[error("people have seen ads, and the database has none")]
    NoAds,
    /// The stream failed.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Refuses a stream that is spread over more shards than are known.
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

/// Writes everything that was retained once more, shard by shard, from the oldest entry to the one
/// that was the newest. What the database holds stays as it is; whoever drains meanwhile notices
/// nothing. `is_without_ads` says that there were none; without it a database that has none is
/// refused as soon as one is needed. `progress` is told of what is done and what there is, in
/// entries.
///
/// # Errors
/// Where the plays cannot be written as they were, the stream is away, or the store fails.
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
            let entries = stream.reread(after, shard.newest, GROUP).await?;
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
            .what
            .passes_a_slot(i64::from(rules.ad_interval_s.max(1))),
        Content::Seal | Content::Foreign { .. } => false,
    }
}
