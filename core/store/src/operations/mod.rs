//! Workers, audit and the snapshot for metrics.

pub(crate) mod audit;
mod clock_repair;
mod readiness;
mod snapshot;
mod workers;

pub use audit::{Actor, AuditAction, AuditEntry, AuditId};
pub use clock_repair::{ClockRepair, ClockRepairError};
pub use snapshot::{MAX_COUNTED, StoreSnapshot};
pub use workers::{ClaimedStep, LeaseOwner, RegisteredWorker, WorkerIdentity};
