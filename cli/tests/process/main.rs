//! The real binary `balance`: its output, its exit codes, and its database.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic fails the test"
)]

#[path = "../inventory/mod.rs"]
mod inventory;

mod backup;
mod commands;
mod env;
mod jobs;
mod play_rules;
mod playback;
mod plays;
mod plays_under_faults;
mod quarantine;
mod reports;
mod restore;
mod rows;
mod serve;
mod settlement;
mod verify;
