//! The result of a replay of the event stream.

use crate::{output::line, progress};
use balance_service::events::replay::Replayed;
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
