//! The memory of a large import and its settlement.

use crate::{
    env::{Call, Outcome, Running, TestEnv, until},
    plays::HEADER,
};
use std::fmt::Write;

/// More plays than one sort in memory, so that sorted files are merged.
const PLAYS: u64 = 300_000;
const VIDEOS: u64 = 5_000;
const DAY_S: u64 = 86_400;
const MOST_KIB: u64 = 200 * 1_024;

/// Returns shuffled plays of one day (Seoul), each by another user.
fn shuffled() -> String {
    let mut text = format!("{HEADER}\n");
    for n in 0..PLAYS {
        // The stride is coprime to the number of plays, so each play occurs once.
        let position = n * 7_919 % PLAYS;
        let second = position * DAY_S / PLAYS;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let (user, video, seconds) = (position + 1_000, position % VIDEOS + 1, n % 600);
        writeln!(
            text,
            "{user},{video},,2024-03-30T{hour:02}:{minute:02}:{second:02}+09:00,{seconds},600"
        )
        .unwrap();
    }
    text
}

/// Returns the peak resident memory of a process in KiB, or `None` after its end.
fn peak_kib(process: &Running) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// Runs a call; returns its outcome and its peak resident memory in KiB.
fn measured(call: Call) -> (Outcome, u64) {
    let mut running = call.start();
    let mut peak = 0;
    until("the process's end", || {
        peak = peak.max(peak_kib(&running).unwrap_or(0));
        running.has_ended()
    });
    (running.wait(), peak)
}

#[test]
fn a_large_import_and_its_settlement_stay_within_their_memory() {
    let env = TestEnv::new();
    let file = env.file("plays.csv", shuffled());
    let (imported, peak) = measured(env.balance(&["import", "-", "--ads", "1"]).stdin(&file));
    let imported = imported.succeeded();
    assert!(imported.stdout.contains("300,000 new"), "{imported:#?}");
    assert!(imported.stdout.contains("plays/s"), "{imported:#?}");
    assert!((1..MOST_KIB).contains(&peak), "import: {peak} KiB");

    let (settled, peak) = measured(env.balance(&["settle"]));
    let settled = settled.succeeded();
    assert!(settled.stdout.contains("300,000 views"), "{settled:#?}");
    assert!(settled.stdout.contains("views/s"), "{settled:#?}");
    assert!((1..MOST_KIB).contains(&peak), "settle: {peak} KiB");
}
