//! Jobs in a fleet: launches, partitions and job control.

mod control;
mod launches;
mod partitions;
