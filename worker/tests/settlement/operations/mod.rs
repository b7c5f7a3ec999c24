//! Operations: the snapshot of health and the registry of workers.

mod registry;
mod snapshot;
