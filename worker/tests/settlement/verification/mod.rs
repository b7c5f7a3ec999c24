//! Verification: the differences that `balance verify` reports.

mod differences;
mod faults;
mod fixtures;
mod isolation;
