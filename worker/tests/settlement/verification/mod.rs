//! Verification: the differences that `balance verify` reports.

mod differences;
mod faults;
pub(crate) mod fixtures;
mod foreign;
mod isolation;
mod limits;
