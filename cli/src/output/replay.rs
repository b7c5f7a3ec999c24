//! The results of a replay of the event stream and of a restore.

use crate::{output::line, progress};
use balance_service::events::replay::Replayed;
use balance_store::operations::CompletedRestore;
use indicatif::HumanCount;
use serde::Serialize;
use std::time::Duration;

#[derive(Serialize)]
struct ReplayedJson {
    entries: u64,
    new: u64,
    known: u64,
    late: u64,
    rejected: u64,
}

pub(crate) fn replayed_json(replayed: &Replayed) -> anyhow::Result<()> {
    let drained = replayed.drained;
    crate::output::json(&ReplayedJson {
        entries: replayed.entries,
        new: drained.new,
        known: drained.known,
        late: drained.late,
        rejected: drained.rejected,
    })
}

pub(crate) fn replayed(replayed: &Replayed, took: Duration) {
    let drained = replayed.drained;
    line(&format!(
        "{} plays and pauses = {} new + {} already there + {} late; {} entries rejected",
        HumanCount(drained.new + drained.known + drained.late),
        HumanCount(drained.new),
        HumanCount(drained.known),
        HumanCount(drained.late),
        HumanCount(drained.rejected),
    ));
    line(&progress::rate(replayed.entries, "entries", took));
}

/// Returns the message about a completed restore.
pub(crate) fn restored(completed: &CompletedRestore) -> String {
    format!(
        "completed the restore: new accounts have IDs from {}, new videos from {}; all users log in again",
        completed.next.user, completed.next.video
    )
}
