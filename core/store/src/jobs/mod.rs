//! The job tables: launching, advancing, stopping, restarting, reading and pruning executions.

mod advance;
mod close;
pub(crate) mod date_lock;
mod error;
mod executions;
mod insert;
mod launch;
mod manager;
pub(crate) mod progress;
mod prune;
mod rerun;
pub(crate) mod rows;
mod stop;

pub use advance::{Advance, Plan};
pub use error::JobError;
pub use launch::{Launched, LaunchedBy};
pub use progress::{Leases, StepProgress};
