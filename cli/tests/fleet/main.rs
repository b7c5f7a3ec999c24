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

mod env;

mod fleet;

mod takeovers;

mod plays;

mod faults;

mod chaos;

mod launches;

mod shutdown;

mod figures;

mod partitions;

mod queue;

mod queue_server;

mod intake;

mod intake_scripts;

mod intake_server;

mod event_writer;

mod replay;

mod suppressed;

mod playback;

mod job_control;

mod metrics;

mod traces;

mod reports;

mod stream;

mod bad_input;

mod container;

mod containers;
