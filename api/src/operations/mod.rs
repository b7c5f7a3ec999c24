//! Workers, queue, audit log, probes and metrics.

pub(crate) mod audit;
pub(crate) mod exposition;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod queue;
pub(crate) mod resource;
pub(crate) mod workers;
