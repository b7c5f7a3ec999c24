//! Clocks, fakes, fixtures and servers for the tests of all crates.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed fixture fails the test"
)]

pub mod clock;
pub mod day_job;
pub mod fraud;
pub mod http;
pub mod intake;
pub mod midnight;
pub mod process;
pub mod rows;
pub mod servers;
pub mod settlement;
pub mod stream;

pub use clock::TestClock;
