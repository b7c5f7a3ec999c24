//! Workers, audit and the snapshot for metrics.

pub(crate) mod audit;
pub(crate) mod snapshot;
pub(crate) mod workers;

pub use audit::{Action, Actor, AuditEntry, AuditId};
pub use snapshot::{MAX_COUNTED, Observation};
pub use workers::{HeldStep, Holder, RegisteredWorker, WorkerIdentity};
