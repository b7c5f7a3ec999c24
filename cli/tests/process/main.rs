//! The real binary `balance`, run as a user runs it: what it prints, how it exits, and what its
//! database holds afterwards.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's way to fail"
)]

#[path = "../common/mod.rs"]
mod common;

mod harness;

mod dump;

mod plays;

mod figures;

mod bad_input;

mod refused_commands;

mod disk;

mod kills;

mod playback;

mod serve;

mod getting_started;

mod reports;

mod jobs;

mod quarantine;

mod processes;

mod demo;

mod memory;

mod verify;
