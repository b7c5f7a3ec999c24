//! The fleet: real worker processes on a real MariaDB and a real Redis, through storms, races,
//! shutdowns and bad input.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's way to fail"
)]

#[path = "../common/mod.rs"]
mod common;

mod daemon;

mod compose;

mod servers;

mod database;

mod place;

mod fleet;

mod takeovers;

mod plays;

mod blows;

mod storms;

mod launches;

mod shutdown;

mod figures;

mod partitions;

mod queue;

mod queue_server;

mod intake;

mod intake_scripts;

mod intake_server;

mod drain;

mod replay;

mod refusals;

mod playback;

mod job_control;

mod metrics;

mod traces;

mod reports;

mod stream;

mod bad_input;

mod container;

mod containers;
