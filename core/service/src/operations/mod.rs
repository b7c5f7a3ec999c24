//! Monitoring: the counters of a process and the snapshot of its stores. Restores.

pub mod clock;
pub mod counters;
pub mod restore;
pub mod snapshot;
