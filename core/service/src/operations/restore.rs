//! Restores of a fleet's database. The event stream knows ids that a restored database has not assigned
//! yet. Nothing is registered and nothing is played until the sequences are above them.

use crate::{
    events::{
        replay::GROUP,
        stream::{EventStream, Retained, StreamError},
    },
    supervision::supervise,
};
use balance_domain::videos::AdId;
use balance_store::{
    Store, StoreError,
    operations::{Actor, CompletedRestore, HighestIds},
};
use std::{
    collections::{BTreeSet, HashSet},
    fmt,
    sync::Arc,
    time::Duration,
};
use tokio::time::MissedTickBehavior;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// How often a process checks the ids and reads the generation.
const PERIOD: Duration = Duration::from_secs(1);
/// The reason for which a process rejects new ids before its first check.
const UNCHECKED: &str = "the ids of the database were not compared with the event stream yet";

/// Why the ids of the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The event stream has ids that the database has not assigned.
    #[error(
        "the database assigned ids of users up to {} and of videos up to {}, but the event stream has \
         user {} and video {}: an older database was restored; `balance restore complete` raises the ids",
        Id(assigned.user), Id(assigned.video), Id(seen.user), Id(seen.video)
    )]
    Behind {
        assigned: HighestIds,
        seen: HighestIds,
    },
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An id in a message; 0 stands for none.
struct Id(i64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("none"),
            id => id.fmt(f),
        }
    }
}

/// Compares the sequences of the database with the ids in the event stream, and records the assigned ids
/// there. Reads the generation too. New ids are possible in this process as long as the last comparison
/// succeeded; if a store is unavailable, its result stays.
///
/// # Errors
/// [`RestoreError::Behind`], or if the stream or the store is unavailable.
pub async fn check_ids(store: &Store, stream: &dyn EventStream) -> Result<(), RestoreError> {
    // First the stream: the database has assigned every id that it contains now.
    let seen = match stream.highest_ids().await {
        Ok(seen) => seen,
        Err(error) => {
            // The generation does not depend on the stream.
            store.assigned_ids().await?;
            return Err(error.into());
        }
    };
    let assigned = store.assigned_ids().await?;
    let highest = assigned.max(seen);
    if highest != assigned {
        let error = RestoreError::Behind { assigned, seen };
        if store.block_new_ids(error.to_string()) {
            tracing::error!(%error, "plays and registrations are rejected");
        }
        return Err(error);
    }
    store.allow_new_ids(assigned);
    if highest != seen {
        stream.raise_highest_ids(assigned).await?;
    }
    Ok(())
}

/// Checks the ids before a process starts its work. If the event stream is unavailable, new ids are
/// rejected until [`IdWatch`] has checked them.
///
/// # Errors
/// [`RestoreError::Behind`], or if the store is unavailable.
pub async fn check_ids_at_start(
    store: &Store,
    stream: &dyn EventStream,
) -> Result<(), RestoreError> {
    store.block_new_ids(UNCHECKED.to_owned());
    match check_ids(store, stream).await {
        Err(RestoreError::Stream(_)) => Ok(()),
        checked => checked,
    }
}

/// Checks the ids and the replication of the stream's server periodically, until it is dropped.
pub struct IdWatch {
    _tasks: TaskTracker,
    _stop: DropGuard,
}

impl IdWatch {
    #[must_use]
    pub fn start(store: Arc<Store>, stream: Arc<dyn EventStream>) -> Self {
        let stopping = CancellationToken::new();
        let tasks = TaskTracker::new();
        let until = stopping.clone();
        tasks.spawn(async move {
            let run = || watch(&store, stream.as_ref(), &until);
            supervise("check of ids", &until, run, || {}).await;
        });
        Self {
            _tasks: tasks,
            _stop: stopping.drop_guard(),
        }
    }
}

async fn watch(store: &Store, stream: &dyn EventStream, stopping: &CancellationToken) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        // The reason is in the store, which rejects new ids; outages are reported by other tasks.
        if let Err(error) = check_ids(store, stream).await {
            tracing::debug!(%error, "failed to check the ids");
        }
        if let Ok(bytes @ 1..) = stream.lost_bytes().await {
            tracing::error!(
                bytes,
                "a replica of Redis that lagged has become the master: acknowledged plays of its lag are \
                 lost, unless they were in the database"
            );
        }
    }
}

/// A completed restore of a fleet's database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedFleetRestore {
    pub completed: CompletedRestore,
    /// Videos that were registered after the backup and that the stream has plays of.
    pub videos: u64,
    /// Ads that were registered after the backup and that the stream names, in order.
    pub ads: Vec<AdId>,
}

/// Completes the restore of a fleet's database: registers the videos and ads that the retained entries of
/// the stream name and the database lacks, raises the sequences above every id in these entries, and sets a
/// new generation. Can be repeated.
///
/// `progress` receives the number of completed entries and the total.
///
/// # Errors
/// If the stream or the store is unavailable.
pub async fn complete(
    store: &Store,
    stream: &dyn EventStream,
    retained: &[Retained],
    by: &Actor,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<CompletedFleetRestore, RestoreError> {
    let mut highest = stream.highest_ids().await?;
    let total = retained.iter().map(|one| one.entries).sum();
    let (mut done, mut videos) = (0, 0);
    let mut ads = BTreeSet::new();
    for shard in retained {
        let mut after = None;
        loop {
            progress(done, total);
            let entries = stream.reread_ids(*shard, after, GROUP).await?;
            let Some((last, _)) = entries.last() else {
                break;
            };
            after = Some(*last);
            done += u64::try_from(entries.len()).unwrap_or(u64::MAX);
            let mut facts = Vec::new();
            let mut shown = HashSet::new();
            for seen in entries.iter().filter_map(|(_, seen)| seen.as_ref()) {
                seen.raise(&mut highest);
                facts.extend(seen.video);
                shown.extend(seen.ads.iter().copied());
            }
            videos += store.register_played(&facts).await?;
            ads.extend(store.register_shown(&shown, by).await?);
        }
    }
    let completed = store.complete_restore(highest, by).await?;
    Ok(CompletedFleetRestore {
        completed,
        videos,
        ads: ads.into_iter().collect(),
    })
}
