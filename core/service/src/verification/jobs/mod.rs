//! The verification of the job tables.

mod contexts;
pub(super) mod execution;
pub(super) mod foreign;
pub(super) mod instance;
pub(super) mod partitions;
