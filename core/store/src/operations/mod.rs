//! Workers, audit and the snapshot for metrics.

pub(crate) mod audit;
mod clock_repair;
mod late_events;
mod readiness;
mod restore;
mod snapshot;
mod workers;

pub use crate::id_guard::{CurrentGeneration, Generation, HighestIds};
pub use audit::{Actor, AuditAction, AuditEntry, AuditId};
pub use clock_repair::{ClockRepair, ClockRepairError};
pub use restore::CompletedRestore;
pub use snapshot::{MAX_COUNTED, StoreSnapshot};
pub use workers::{ClaimedStep, LeaseOwner, RegisteredWorker, WorkerIdentity};
