//! How much memory a large import and its settlement take.

use crate::{
    harness::{Call, Outcome, Running, TestEnv, until},
    plays::HEADER,
};
use std::fmt::Write;

/// More than are sorted in memory at a time, so that sorted files are merged.
const PLAYS: u64 = 300_000;
const VIDEOS: u64 = 5_000;
const DAY_S: u64 = 86_400;
const MOST_KIB: u64 = 200 * 1_024;

/// Plays of one day (Seoul), each by a user of its own, in no order of time or video.
fn shuffled() -> String {
    let mut text = format!("{HEADER}\n");
    for n in 0..PLAYS {
        // A stride that shares no factor with the number of plays visits each of them once.
        let env = n * 7_919 % PLAYS;
        let second = env * DAY_S / PLAYS;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let (user, video, seconds) = (env + 1_000, env % VIDEOS + 1, n % 600);
        writeln!(
            text,
            "{user},{video},,2024-03-30T{hour:02}:{minute:02}:{second:02}+09:00,{seconds},600"
        )
        .unwrap();
    }
    text
}

/// The most memory that a process has had resident so far, in KiB; nothing once it has ended.
fn peak_kib(process: &Running) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// Runs a call to its end; answers how it ended and its peak of resident memory in KiB.
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
