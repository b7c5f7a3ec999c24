//! The job tables: launching, advancing, stopping, restarting and reading executions.

pub(crate) mod advance;
pub(crate) mod launch;
pub(crate) mod progress;
pub(crate) mod prune;
pub(crate) mod repository;
pub(crate) mod rerun;
pub(crate) mod rows;
pub(crate) mod stop;
pub(crate) mod types;

pub use progress::{Leases, StepProgress};
pub use types::{Advance, JobError, Launched, LaunchedBy, Plan};
