//! Operations: the snapshot of health and the registry of workers.

mod panics;
mod registry;
mod snapshot;
