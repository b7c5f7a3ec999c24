//! A fleet: real worker processes on a real MariaDB and a real Redis, with injected faults, races,
//! shutdowns and bad input.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic fails the test"
)]

#[path = "../inventory/mod.rs"]
mod inventory;

mod bad_input;
mod chaos;
mod containers;
mod env;
mod events;
mod figures;
mod fraud;
mod from_spring;
mod jobs;
mod migrations;
mod operations;
mod playback;
mod plays;
mod queue;
mod reports;
mod shutdown;
mod takeovers;
mod worker;
