//! Workers, audit and the snapshot for metrics.

pub(crate) mod audit;
mod readiness;
mod snapshot;
mod workers;

pub use audit::{Actor, AuditAction, AuditEntry, AuditId};
pub use snapshot::{MAX_COUNTED, StoreSnapshot};
pub use workers::{ClaimedStep, LeaseOwner, RegisteredWorker, WorkerIdentity};
