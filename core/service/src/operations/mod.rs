//! Monitoring: the counters of a process and the snapshot of its stores.

pub mod clock;
pub mod counters;
pub mod snapshot;
